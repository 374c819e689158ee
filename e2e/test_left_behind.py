"""After the end of the cluster the machine is as it was. This runs last."""

from e2e.cluster import life
from e2e.cluster.cluster import Cluster


def test_the_end_of_the_cluster_leaves_nothing_behind(own_cluster: Cluster) -> None:
    assert life.leftovers(), "it looks in the wrong places: a running cluster has left nothing"
    life.down()
    assert life.leftovers() == []
    assert life.status() == "down"
