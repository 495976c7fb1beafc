"""Links into other systems' own screens."""

import pytest

from meshline.console import doors

COMPANY = {"base_url": "https://acme.pipedrive.com", "company": "acme"}


@pytest.mark.parametrize(
    ("config", "kind", "value", "url"),
    [
        (COMPANY, "deal", "4711", "https://acme.pipedrive.com/deal/4711"),
        (COMPANY, "organization", "7", "https://acme.pipedrive.com/organization/7"),
        (COMPANY, "deal", "../x?", "https://acme.pipedrive.com/deal/..%2Fx%3F"),
        (COMPANY, "stage", "7", ""),
        ({**COMPANY, "company": ""}, "deal", "7", ""),
        ({**COMPANY, "company": "evil.example/"}, "deal", "7", ""),
        ({**COMPANY, "base_url": "http://127.0.0.1:8200/pipedrive"}, "deal", "7", ""),
    ],
)
def test_records_of_the_crm_open_where_the_company_is_known(settings, config, kind, value, url):
    settings.MESHLINE_PROVIDERS = {"pipedrive": config}

    assert doors.address("pipedrive", kind, value) == url
