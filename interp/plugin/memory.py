"""How much memory this process holds."""


def held() -> int:
    """The bytes of this process that are in memory, the weights of its model among them."""
    import psutil  # noqa: PLC0415  only once a model is loaded

    return int(psutil.Process().memory_info().rss)
