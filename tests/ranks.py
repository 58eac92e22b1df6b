"""Whether two orders have anything to do with each other."""


def rank_correlation(ranks):
    """Return Spearman's, 1 in order; of 50 by chance beyond 0.7 once in 10^6."""
    size = len(ranks)
    squares = sum((rank - place) ** 2 for place, rank in enumerate(ranks))
    return 1 - 6 * squares / (size * (size * size - 1))
