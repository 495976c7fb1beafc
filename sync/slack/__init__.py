"""Review items as Slack messages, and clicks on them as decisions through the same door as the page's."""
