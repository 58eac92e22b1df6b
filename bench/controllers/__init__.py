"""Policies side by side: ours, the seeds' and what others run, on the same traces."""
