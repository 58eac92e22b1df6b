"""The same work in the designs most people would have built, and in none at all."""
