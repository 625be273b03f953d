"""How fast spendgate is: one file per question, `python -m bench` to answer them."""
