"""Bounties: credits held for something to be done, paid to whoever has done it."""
