"""What a text claims to have been done, and whether the ledger proves it. Pure: words and rows in, verdicts out.

`wording` holds the words as data, `letters` makes text plain, `amounts` reads money, `reader` finds claims and how
they are meant, `judging` compares them with what the ledger knows, `saying` is how the product itself says what
became of an action.
"""

from gates.claims.judging import Checked, Judged, Proof, Verdict, judge, worst
from gates.claims.reader import Claim, Sense, Sentence, read

__all__ = ["Checked", "Claim", "Judged", "Proof", "Sense", "Sentence", "Verdict", "judge", "read", "worst"]
