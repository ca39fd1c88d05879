"""CloudWatch Logs filter patterns: parsed, printed and run on CloudTrail records.

AWS publishes no grammar. What is known comes from its pages, their 2018 revision (which is more
exact) and assertions made against TestMetricFilter; what AWS does beyond that is answered UNKNOWN.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from chalicelib.alarm_path.filter_pattern.errors import FilterPatternError
from chalicelib.alarm_path.filter_pattern.evaluate import Verdict, matches
from chalicelib.alarm_path.filter_pattern.parser import parse
from chalicelib.alarm_path.filter_pattern.render import render
from chalicelib.alarm_path.filter_pattern.syntax import Pattern

__all__ = ["FilterPatternError", "Pattern", "Verdict", "matches", "parse", "render"]
