"""Claims where they meet records: what the ledger knows of a customer, checks that were made, texts that leave."""
