"""The portal link: one stable address a customer, behind which each visit gets a fresh session at the provider.

`links` makes, renews and ends links; `visits` answers an address; `alerts` tells people what has to be mended;
`backfill` gives existing customers theirs; `checking` tries the whole path.
"""
