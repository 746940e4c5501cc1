"""Every section of the feature table, used as an application uses it; what was seen, as JSON.

| section | of | used in |
|---|---|---|
| 1.1 | Calling | `calling.calling` |
| 1.2 | Linking | `calling.linking` |
| 1.3 | AsyncResult | `results.results` |
| 1.4 | States | `results.state_names` |
| 1.5 | on_message | `results.on_message` |
| 1.6 | ETA and countdown | `calling.countdown` |
| 1.7 | Expiration | `calling.expiration` |
| 1.8 | Publish retry | `calling.publish_retry` |
| 1.9 | Connection errors | `calling.connection_errors` |
| 1.10 | Serializers | `messages.serializers` |
| 1.11 | Compression | `messages.compression` |
| 1.12 | Connections and producers | `messages.connections` |
| 1.13 | Routing | `messages.routing` |
| 1.14 | Result options | `results.result_options` |
| 1.15 | Application | `application.apps` |
| 1.16 | Configuration | `application.configuration` |
| 1.17 | Laziness | `application.laziness` |
| 1.18 | Task definition | `application.definitions` |
| 1.19 | Handlers and signals | `running.handlers` |
| 1.20 | Custom requests | `running.custom_request` |
| 1.21 | Request attributes | `running.request_attributes` |
| 1.22 | Logging | `running.logging_lines` |
| 1.23 | Retry | `running.retry` |
| 1.24 | Acknowledgement | `running.acknowledgement` |
| 1.25 | Semipredicates | `running.semipredicates` |
| 1.26 | Canvas | `workflows.canvas` |
| 1.27 | Best practices | `workflows.best_practices` |
| 1.28 | Commands | `programs.commands` |
| 1.29 | Banner | `programs.banner` |
| 1.30 | Long examples | `application.long_examples` |
"""

import json
import sys
import time
import traceback

from proj import signals as signals  # of what a client sends
from proj.features import application, calling, messages, programs, results, running, workflows

SECTIONS = {
    "1.1": calling.calling,
    "1.2": calling.linking,
    "1.3": results.results,
    "1.4": results.state_names,
    "1.5": results.on_message,
    "1.6": calling.countdown,
    "1.7": calling.expiration,
    "1.8": calling.publish_retry,
    "1.9": calling.connection_errors,
    "1.10": messages.serializers,
    "1.11": messages.compression,
    "1.12": messages.connections,
    "1.13": messages.routing,
    "1.14": results.result_options,
    "1.15": application.apps,
    "1.16": application.configuration,
    "1.17": application.laziness,
    "1.18": application.definitions,
    "1.19": running.handlers,
    "1.20": running.custom_request,
    "1.21": running.request_attributes,
    "1.22": running.logging_lines,
    "1.23": running.retry,
    "1.24": running.acknowledgement,
    "1.25": running.semipredicates,
    "1.26": workflows.canvas,
    "1.27": workflows.best_practices,
    "1.28": programs.commands,
    "1.29": programs.banner,
    "1.30": application.long_examples,
}
"""Section of the feature table → what of it is used."""


def observed(section):
    try:
        return SECTIONS[section]()
    except Exception:
        return {"error": traceback.format_exc()}


def main(path, wanted):
    found = {}
    for section in SECTIONS:
        if not wanted or section in wanted:
            start = time.monotonic()
            found[section] = observed(section)
            print(f"{section} took {time.monotonic() - start:.1f} s", flush=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1, default=repr, sort_keys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
