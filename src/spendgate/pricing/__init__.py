"""What things cost: usage, the user's own rate card, and the price list of genai-prices below it."""
