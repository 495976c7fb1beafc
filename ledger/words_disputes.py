"""Identifiers around disputes as words."""

KINDS = {"dispute.refund": "Refund disputed payment", "dispute.respond": "Answer a dispute"}
DECISIONS = {
    "await_answer": "The bank wants an answer",
    "examine": "The bank looks at it",
    "puzzle": "Not understood",
    "win": "Won",
    "lose": "Lost",
    "end_dispute": "Dispute over",
    "note_dispute": "Dispute told anew",
}
WHYS = {
    "open-dispute": "a payment is disputed",
    "fraud-flag": "there is a fraud warning",
    "dispute": "a bank waits for an answer",
    "dispute_asks": "what the dispute is about needs a person",
    "dispute-amount": "it is more than an automation may give back",
    "dispute-history": "the customer disputed a payment before",
    "hard-fail": "no automation does this",
}
RULES = {
    "open-dispute": "Open dispute",
    "fraud-flag": "Fraud warning",
    "dispute": "Dispute",
    "dispute_asks": "Dispute needs a person",
    "dispute-amount": "Dispute refunds that a person sees",
    "dispute-history": "Earlier disputes",
    "hard-fail": "Never by itself",
}
EVENTS = {"dispute.changed": "Dispute changed", "fraud.warned": "Fraud warning"}
