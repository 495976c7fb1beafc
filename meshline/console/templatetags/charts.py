"""Charts as template tags: `{% line_chart points title="SLA met" unit="share" target=0.95 %}`; see `console.charts`."""

from django import template

from meshline.console import charts

register = template.Library()

register.simple_tag(charts.line, name="line_chart")
register.simple_tag(charts.spark, name="spark")
register.simple_tag(charts.bars, name="bars")
register.filter("worded", charts.worded)
