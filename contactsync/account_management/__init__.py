"""The calls of Account Management: their names, and how many of them AWS takes."""
