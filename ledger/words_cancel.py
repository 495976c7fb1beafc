"""Words of cancellations and of who looks after accounts; see `ledger.words`."""

KINDS = {
    "contract.cancel": "Cancel contract",
    "subscription.cancel": "Cancel subscription",
    "subscription.uncancel": "Keep subscription",
}
DECISIONS = {
    "add_holder": "Role of an account given",
    "edit_holder": "Role of an account changed",
    "retire_holder": "Role of an account ended",
    "set_sensitive": "What is an owner's say changed",
    "add_block": "Put on the list of what may not be cancelled",
    "end_block": "Taken off the list of what may not be cancelled",
}
WHYS = {
    "cancel_window": "there is time to think again",
    "cancellation_blocked": "it may not be cancelled",
    "subscription_over": "the subscription still runs",
    "owner_sensitive": "it is an owner's say",
    "cancel-tenure": "the customer has been with us for long",
    "cancel-dispute": "a payment is disputed",
    "cancel-fraud": "there is a fraud warning",
    "ended_elsewhere": "somebody else ended it",
    "other_customer": "it is another customer's",
    "over": "the subscription was over",
}
RULES = {
    "cancel_window": "Safety window",
    "cancellation_blocked": "May be cancelled",
    "subscription_over": "Subscription is over",
    "owner_sensitive": "Owner's say",
    "cancel-tenure": "Cancelling after a long time",
    "cancel-dispute": "Cancelling during a dispute",
    "cancel-fraud": "Cancelling under a fraud warning",
}
