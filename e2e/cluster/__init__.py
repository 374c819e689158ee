"""A real Kubernetes on one Linux machine: ``python -m e2e.cluster up``, ``down`` or ``status``.

control_plane.py, node.py and services.py say what runs, machine.py what it needs and takes of this machine, inside.py
holds it together, life.py starts and ends it, and cluster.py is what one has then.
"""
