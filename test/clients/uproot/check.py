"""Checks with uproot that our ROOT files hold what was written."""
import json
import sys

import numpy as np
import uproot

work = sys.argv[1]
tree = uproot.open(f"{work}/known.root")["events"]
arrays = tree.arrays(library="np")
n = 150_000
assert tree.num_entries == n
assert tree.typenames() == {"event": "int32_t", "energy": "float", "hit": "double[3]"}
assert (arrays["event"] == np.arange(1, n + 1)).all()
assert (arrays["energy"] == np.arange(n) / 4).all()
assert (arrays["hit"].ravel() == -np.arange(3 * n)).all()

checked = 0
for file in json.load(open(f"{work}/run.json")):
    if file["metadata"]["stream_name"] != "physics":
        continue
    arrays = uproot.open(file["path"])["events"].arrays(library="np")
    assert len(arrays["event"]) == file["metadata"]["events"]
    assert arrays["around"].shape == (len(arrays["event"]), 80)
    assert (arrays["around"] >= -1).all() and (arrays["around"] >= 0).any()
    checked += 1
assert checked == 10
print(f"uproot {uproot.__version__}: {n} known entries and {checked} generated files are right")
