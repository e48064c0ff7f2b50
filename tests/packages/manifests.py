"""The Kubernetes manifests: against the API's schemas, and the flags in them against the real server's.

    manifests.py MANIFEST [KEY=FILE ...]    prints the container's arguments, one a line, with paths of its secret replaced
"""

import sys

import kubernetes_validate
import yaml

VERSION = "1.34"


def main(path, replaced):
    with open(path) as file:
        manifests = list(yaml.safe_load_all(file))
    for manifest in manifests:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    assert sorted(by_kind) == ["PodDisruptionBudget", "Service", "StatefulSet"], sorted(by_kind)
    pod = by_kind["StatefulSet"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    for other in ("Service", "PodDisruptionBudget"):
        selector = by_kind[other]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == pod["metadata"]["labels"], f"{other} selects other pods"
    assert by_kind["StatefulSet"]["spec"]["serviceName"] == by_kind["Service"]["metadata"]["name"]
    limit = next(word for word in container["args"] if word.startswith("--memory-limit="))
    memory = container["resources"]["limits"]["memory"]
    assert int(memory.removesuffix("Mi")) == int(limit.split("=")[1]) + 64, f"{memory} does not fit {limit}"
    for word in container["args"]:
        for place, file in replaced:
            word = word.replace(place, file)
        for variable in container["env"]:
            word = word.replace(f"$({variable['name']})", "default")
        assert "$(" not in word, f"{word} names a variable that is not there"
        print(word)


main(sys.argv[1], [pair.split("=", 1) for pair in sys.argv[2:]])
