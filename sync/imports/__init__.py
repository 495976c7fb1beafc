"""Links between ERP customers and billing customers from a CSV file: read, verified at the provider, shown, confirmed.

`reading` turns bytes into rows or says what is wrong with them; `checking` verifies each row; `links` holds what people
do: begin, confirm, discard.
"""
