"""What neither the document nor HTTP can say, and schemathesis takes for a fault."""

import json

import schemathesis

# Parameters with a grammar of their own.
GRAMMARS = {"cursor", "failover", "filter", "near", "version"}

# Parameters that go only with another one, or not with it.
COMPANY = {"consistency", "constraints.location.max_distance_km", "failover", "max_distance_km", "wait"}

# A header that nobody knows is nothing wrong.
UNKNOWN_HEADER = "x-schemathesis-unknown-property"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure is one."""
    kind = type(failure).__name__
    if kind == "RejectedPositiveData" and response.status_code == 400:
        problem = json.loads(response.content)
        # It takes the name of a service in a body, `acme/payments`, for that in a path.
        is_full_name = problem.get("parameter") == "name" and "/" in problem["sent"]
        is_too_many = "too many parameters" in problem["detail"]
        return not (is_full_name or is_too_many or problem.get("parameter") in GRAMMARS | COMPANY)
    if kind == "AcceptedNegativeData":
        return UNKNOWN_HEADER not in (case.headers or {})
    return True
