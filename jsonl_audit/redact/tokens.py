"""Secrets that tell themselves: each with the beginning or the form by which its issuer makes it known.

Every pattern runs in linear time: where a part repeats without end, either nothing stands behind it that could fail, or
what stands before it keeps it from being tried at more than one place of the same run.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import NamedTuple

from jsonl_audit.redact.assigned import harmless

__all__ = ["TOKENS", "Token", "compiled", "discord_tokens", "known_tokens", "private_keys"]


class Token(NamedTuple):
    """One form of secret. What matches its pattern, or the group `s` where there is one, is what is redacted."""

    kind: str
    hints: tuple[str, ...]
    """A text that holds none of these holds no such secret: quicker to ask than the pattern."""
    pattern: str
    before: tuple[int, int]
    """How many characters a match begins before its hint, at least and at most."""
    examples: str
    """Whose it is, in words, for the documentation."""


_ESCAPED = r"(?<=\\[nrtbfv0])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9a-fA-F]{2})|(?<=\\u[0-9a-fA-F]{4})"
_ESCAPED += r"|(?<=\[m)" + "".join(rf"|(?<=[\[;][0-9]{{{digits}}}m)" for digits in (1, 2, 3))
"""Behind an escape, whose last letter is none of a word: in a text within a text, a URL within a URL, in colour."""
_START = rf"(?:(?<![A-Za-z0-9])|{_ESCAPED})"
_RUN = rf"(?:(?<![A-Za-z0-9_-])|{_ESCAPED})"
"""Not within a run of the characters that follow: so no run is tried twice, but where it begins behind an escape."""
_END = r"(?![A-Za-z0-9])"
_HEX8 = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def _token(
    kind: str, hints: str, pattern: str, examples: str, *, start: str = _START, before: tuple[int, int] = (0, 0)
) -> Token:
    return Token(kind, tuple(hints.split(",")), start + pattern, before, examples)


@functools.cache
def compiled(token: Token) -> re.Pattern[str]:
    """The pattern of a form, compiled when a text first asks for it: all of them would take tens of milliseconds."""
    return re.compile(token.pattern)


TOKENS: tuple[Token, ...] = (
    _token("aws-access-key-id", "AKIA,ASIA,ABIA,ACCA,A3T", rf"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{{16}}{_END}",
           "AWS access key ids"),
    _token("aws-secret-key", "AKIA,ASIA",
           r"(?:AKIA|ASIA)[A-Z0-9]{16}[\"']?[\s:,;|/]{1,3}[\"']?(?P<s>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
           "the AWS secret key behind its id"),
    _token("aws-mws-key", "amzn.mws.", rf"amzn\.mws\.{_HEX8}", "Amazon MWS"),
    _token("aws-bedrock-key", "ABSK", r"ABSK[A-Za-z0-9+/]{100,}=*", "AWS Bedrock API keys"),
    _token("github-token", "ghp_,gho_,ghu_,ghs_,ghr_", r"gh[pousr]_[A-Za-z0-9_]{20,}", "GitHub tokens"),
    _token("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{20,}", "GitHub fine-grained tokens"),
    _token("gitlab-token", "glpat-,gldt-,glrt-,glrtr-,glptt-,glft-,glsoat-,glagent-,glcbt-,glimt-,gloas-,glffct-,GR1348941",
           r"(?:gl(?:pat|dt|rtr|rt|ptt|ft|soat|agent|imt|oas|ffct)-[A-Za-z0-9_.=-]{16,}|glcbt-[A-Za-z0-9_-]{16,}"
           r"|GR1348941[A-Za-z0-9_-]{20,})", "GitLab tokens"),
    _token("gitlab-token", "_gitlab_session", r"_gitlab_session=(?P<s>[0-9a-f]{32})", "GitLab session cookies", start=""),
    _token("slack-token", "xox",
           r"xox(?:[abcdeoprs]-|e\.xox[bp]-)[A-Za-z0-9%.-]{10,}", "Slack tokens"),
    _token("slack-token", "xapp-,xwfp-", r"(?:xapp|xwfp)-[A-Za-z0-9-]{10,}", "Slack app tokens"),
    _token("slack-webhook", "hooks.slack.com", r"hooks\.slack\.com(?:/|%2[Ff])(?P<s>(?:services|workflows|triggers)(?:/|%2[Ff])[A-Za-z0-9+/_%-]{20,})",
           "Slack webhooks", start=""),
    _token("google-api-key", "AIza", r"AIza[A-Za-z0-9_-]{35}", "Google API keys", start=_RUN),
    _token("google-token", "ya29.", r"ya29\.[A-Za-z0-9_-]{32,}", "Google OAuth access tokens"),
    _token("google-token", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{20,}", "Google OAuth client secrets"),
    _token("stripe-key", "sk_live_,sk_test_,sk_prod_,rk_live_,rk_test_,rk_prod_,pk_live_,pk_test_,pk_prod_", r"(?:sk|rk|pk)_(?:live|test|prod)_[A-Za-z0-9]{16,}", "Stripe keys"),
    _token("stripe-key", "whsec_", r"whsec_[A-Za-z0-9+/=]{20,}", "Stripe webhook secrets"),
    _token("anthropic-key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{30,}", "Anthropic keys"),
    _token("openai-key", "sk-", r"sk-(?:(?:proj|svcacct|service|admin|None)-[A-Za-z0-9_-]{30,}|[A-Za-z0-9]{20,}(?:-[A-Za-z0-9_-]+)?"
           r"|or-v1-[0-9a-f]{32,}|lf-[0-9a-f-]{34,})", "OpenAI keys, and those of others in its form", start=_RUN),
    _token("npm-token", "npm_", r"npm_[A-Za-z0-9]{30,}", "npm tokens"),
    _token("pypi-token", "pypi-", r"pypi-[A-Za-z0-9_-]{32,}", "PyPI tokens"),
    _token("rubygems-token", "rubygems_", r"rubygems_[0-9a-f]{48}", "RubyGems"),
    _token("clojars-token", "CLOJARS_", r"CLOJARS_[A-Za-z0-9]{60}", "Clojars"),
    _token("docker-token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}", "Docker Hub"),
    _token("jwt", "eyJ", r"(?=[A-Za-z0-9_.-]{37})eyJ[A-Za-z0-9_-]{8,}\.(?:ey[A-Za-z0-9_-]*|(?=\.))(?:\.[A-Za-z0-9_-]*){0,3}",
           "JSON web tokens", start=_RUN),
    _token("jwt", "ZXlK", r"ZXlK[A-Za-z0-9+/_-]{60,}=*", "JSON web tokens in base64", start=r"(?<![A-Za-z0-9+/_-])"),
    _token("sendgrid-key", "SG.", r"SG\.[A-Za-z0-9_-]{17,}\.[A-Za-z0-9_-]{17,}", "SendGrid"),
    _token("sendinblue-key", "xkeysib-", r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}", "Brevo"),
    _token("mailgun-key", "key-,pubkey-", rf"(?:pub)?key-[0-9a-f]{{32}}{_END}", "Mailgun"),
    _token("mailchimp-key", "-us", rf"[0-9a-f]{{32}}-us[0-9]{{1,2}}{_END}", "Mailchimp", before=(32, 32)),
    _token("twilio-key", "SK", rf"SK[0-9a-f]{{32}}{_END}", "Twilio"),
    _token("digitalocean-token", "dop_v1_,doo_v1_,dor_v1_", r"do[opr]_v1_[0-9a-f]{64}", "DigitalOcean"),
    _token("telegram-token", ":AA", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,33}(?![A-Za-z0-9_-])", "Telegram bots", before=(8, 10)),
    _token("discord-webhook", "/api/webhooks/", r"/api/webhooks/[0-9]{16,20}/(?P<s>[A-Za-z0-9_-]{40,})", "Discord webhooks",
           start=""),
    _token("teams-webhook", "webhook.office.com/", r"webhook\.office\.com/(?P<s>webhookb2/[A-Za-z0-9@-]{36,}/[^\s\"'<>]{20,})",
           "Microsoft Teams webhooks", start=""),
    _token("azure-key", "AccountKey", r"AccountKey[ \t]{0,4}=[ \t]{0,4}(?P<s>[A-Za-z0-9+/]{20,}={0,2})", "Azure storage and bus keys",
           start=""),
    _token("azure-key", "SharedAccessKey", r"SharedAccessKey[ \t]{0,4}=[ \t]{0,4}(?P<s>[A-Za-z0-9+/]{20,}={0,2})", "Azure bus keys", start=""),
    _token("azure-key", "?sig=,&sig=,;sig=", r"[?&;]sig=(?P<s>[A-Za-z0-9%+/=_-]{16,})", "Azure shared access signatures", start=""),
    _token("azure-key", "Q~", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}", "Microsoft Entra client secrets",
           start=r"(?<![A-Za-z0-9_~.-])", before=(4, 4)),
    _token("aws-signature", "X-Amz-Signature=", r"X-Amz-Signature=(?P<s>[0-9a-f]{32,})", "signed AWS URLs", start=""),
    _token("google-signature", "X-Goog-Signature=", r"X-Goog-Signature=(?P<s>[0-9a-f]{32,})", "signed Google URLs", start=""),
    _token("hugging-face-token", "hf_,api_org_", r"(?:hf|api_org)_[A-Za-z]{30,}", "Hugging Face"),
    _token("hugging-face-token", "hf_", r"hf_[A-Za-z0-9]{34,}", "Hugging Face"),
    _token("databricks-token", "dapi,dkea", rf"(?:dapi|dkea)[0-9a-f]{{32}}(?:-[0-9]{{1,2}})?{_END}", "Databricks"),
    _token("shopify-token", "shpat_,shpss_,shpca_,shppa_", r"shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{32}", "Shopify"),
    _token("square-token", "sq0,EAAA", r"(?:sq0[a-z]{2}p-[A-Za-z0-9_-]{22,}|EAAA[A-Za-z0-9_-]{60})", "Square", start=_RUN),
    _token("paypal-token", "access_token$", r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}", "PayPal, Braintree"),
    _token("atlassian-token", "ATATT3,ATBB,ATCTT3", r"(?:ATATT3|ATCTT3)[A-Za-z0-9_-]{40,}[A-Za-z0-9_=-]*", "Atlassian", start=_RUN),
    _token("atlassian-token", "ATBB", r"ATBB[A-Za-z0-9]{32,}", "Bitbucket"),
    _token("linear-token", "lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}", "Linear"),
    _token("vault-token", "hvs.,hvb.,hvr.", r"hv[sbr]\.[A-Za-z0-9_-]{33,}", "HashiCorp Vault"),
    _token("vault-token", "s.", r"s\.[A-Za-z0-9]{24}(?![A-Za-z0-9_.-])", "HashiCorp Vault, before 1.10", start=r"(?<![A-Za-z0-9_.-])"),
    _token("terraform-token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{50,}", "Terraform Cloud", before=(14, 14)),
    _token("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{50,}", "age"),
    _token("heroku-key", "HRKU-", r"HRKU-[A-Za-z0-9_-]{32,}", "Heroku"),
    _token("newrelic-key", "NRAK-,NRJS-,NRAA-", r"NR(?:AK|JS|AA)-[A-Za-z0-9]{16,}", "New Relic"),
    _token("grafana-token", "glsa_,glc_,eyJrIjoi", r"(?:glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9]{16}[A-Za-z0-9+/]{16,}={0,2}|eyJrIjoi[A-Za-z0-9]{60,}={0,2})", "Grafana",
           start=r"(?<![A-Za-z0-9+/])"),
    _token("sentry-token", "sntrys_,sntryu_", r"(?:sntrys_[A-Za-z0-9]{16}[A-Za-z0-9+/=_]{24,}|sntryu_[0-9a-f]{64})", "Sentry"),
    _token("postman-key", "PMAK-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}", "Postman"),
    _token("pulumi-token", "pul-", r"pul-[0-9a-f]{40}", "Pulumi"),
    _token("doppler-token", "dp.", r"dp\.(?:pt|st|ct|scim|audit|sa)\.[A-Za-z0-9._-]{30,}", "Doppler"),
    _token("planetscale-token", "pscale_", r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9._-]{30,}", "PlanetScale"),
    _token("prefect-key", "pnu_", r"pnu_[a-zA-Z0-9]{36}", "Prefect"),
    _token("notion-token", "ntn_,secret_", rf"(?:ntn_[A-Za-z0-9]{{40,}}|secret_[A-Za-z0-9]{{43}}{_END})", "Notion"),
    _token("figma-token", "figd_,figo_,figu_,figr_", r"fig[dour]_[A-Za-z0-9_-]{32,}", "Figma"),
    _token("airtable-token", "pat", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", "Airtable"),
    _token("dynatrace-token", "dt0", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", "Dynatrace"),
    _token("easypost-key", "EZAK,EZTK", r"EZ[AT]K[A-Za-z0-9]{54}", "EasyPost"),
    _token("flutterwave-key", "FLWSECK", r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{32}(?:-X)?", "Flutterwave"),
    _token("1password-token", "ops_,A3-", r"(?:ops_eyJ[A-Za-z0-9]{13}[A-Za-z0-9+/]{80,}={0,3}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3})", "1Password"),
    _token("facebook-token", "EAA", r"EAA(?:[MC]|[A-Z])[A-Za-z0-9]{90,}", "Facebook, Instagram"),
    _token("twitter-token", "AAAAAAAAAAAAAAAAAAAA", r"A{20}[A-Za-z0-9]{12}[A-Za-z0-9%]{48,}", "X, Twitter", start=r"(?<![A-Za-z0-9+/%])"),
    _token("alibaba-key", "LTAI", rf"LTAI[A-Za-z0-9]{{16,24}}{_END}", "Alibaba Cloud"),
    _token("tencent-key", "AKID", rf"AKID[A-Za-z0-9]{{32}}{_END}", "Tencent Cloud"),
    _token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,}", "Groq"),
    _token("xai-key", "xai-", r"xai-[A-Za-z0-9]{60,}", "xAI"),
    _token("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,}", "Perplexity"),
    _token("replicate-token", "r8_", r"r8_[A-Za-z0-9]{30,}", "Replicate"),
    _token("fly-token", "fm1,fm2,fo1_", r"(?:fm[12][ar]?_[A-Za-z0-9]{16}[A-Za-z0-9+/=,_]{44,}|fo1_[A-Za-z0-9_-]{43})", "Fly.io"),
    _token("sonar-token", "sqp_,squ_,sqa_", rf"sq[pua]_[0-9a-f]{{40}}{_END}", "SonarQube"),
    _token("jfrog-key", "AKCp,cmVmdGtu", r"(?:AKCp[A-Za-z0-9]{10}[A-Za-z0-9]{40,}|cmVmdGtu[A-Za-z0-9]{50,})", "Artifactory"),
    _token("openshift-token", "sha256~", r"sha256~[A-Za-z0-9_-]{43}", "OpenShift"),
    _token("supabase-key", "sb_secret_,sbp_", r"(?:sb_secret_[A-Za-z0-9_-]{27,}|sbp_[0-9a-f]{40})", "Supabase"),
    _token("cloudflare-key", "v1.0-", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}", "Cloudflare origin CA"),
    _token("contentful-token", "CFPAT-", r"CFPAT-[A-Za-z0-9_-]{43}", "Contentful"),
    _token("hubspot-token", "pat-", rf"pat-(?:na|eu|ap)[0-9]-{_HEX8}", "HubSpot"),
    _token("typeform-token", "tfp_", r"tfp_[A-Za-z0-9_.-]{40,}", "Typeform"),
    _token("readme-key", "rdme_", r"rdme_[a-z0-9]{70}", "ReadMe"),
    _token("shippo-token", "shippo_", r"shippo_(?:live|test)_[A-Fa-f0-9]{40}", "Shippo"),
    _token("frameio-token", "fio-u-", r"fio-u-[A-Za-z0-9_-]{64}", "Frame.io"),
    _token("duffel-token", "duffel_", r"duffel_(?:test|live)_[A-Za-z0-9_-]{43}", "Duffel"),
    _token("adobe-secret", "p8e-", rf"p8e-[A-Za-z0-9]{{32}}{_END}", "Adobe"),
    _token("yandex-key", "AQVN,y0_", r"(?:AQVN[A-Za-z0-9_-]{35,38}|y0_[A-Za-z0-9_-]{50,})(?![A-Za-z0-9_-])", "Yandex Cloud", start=_RUN),
    _token("scalingo-token", "tk-us-", r"tk-us-[A-Za-z0-9_-]{48}", "Scalingo"),
    _token("harness-token", "pat.,sat.", r"[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}", "Harness"),
    _token("maxmind-key", "_mmk", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", "MaxMind", before=(36, 36)),
    _token("sourcegraph-token", "sgp_", r"sgp_(?:[A-Fa-f0-9]{16}_|local_)?[A-Fa-f0-9]{40}", "Sourcegraph"),
    _token("clickhouse-key", "4b1d", rf"4b1d[A-Za-z0-9]{{38}}{_END}", "ClickHouse Cloud"),
    _token("nvidia-key", "nvapi-", r"nvapi-[A-Za-z0-9_-]{40,}", "NVIDIA"),
    _token("langsmith-key", "lsv2_", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}", "LangSmith"),
    _token("tailscale-key", "tskey-", r"tskey-[a-z]{3,8}-[A-Za-z0-9-]{27,}", "Tailscale"),
    _token("bearer", "Bearer,bearer,BEARER", r"(?:[Bb]earer|BEARER)(?:[ \t]{1,4}|%20|\+)(?P<s>(?![a-z_]{1,32}=[^=\s])(?=[A-Za-z_~+/=.-]{0,63}[0-9]|[A-Za-z0-9_~+/=.-]{24})[A-Za-z0-9_~+/=.-]{6,})",
           "bearer tokens"),
    _token("basic-auth", "Basic,basic,BASIC", r"(?:[Bb]asic|BASIC)[ \t]{1,4}(?P<s>(?=[A-Za-z/+]{0,63}[0-9=]|[A-Za-z0-9+/]{20})[A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9+/=_.-])", "basic credentials"),
    _token("digest-auth", "Digest,digest", r"[Dd]igest[ \t]{1,4}(?P<s>username=[^\r\n]{10,})", "digest credentials"),
    _token("url-password", "://", r"://(?!\[)[^\s/?#\"'<>@:\\\x00-\x1f]{0,256}:(?P<s>[^\s/\"'<>@\\\x00-\x1f]{1,512}|[^\s\"'<>@\\\x00-\x1f]{1,512})@(?=[A-Za-z0-9_\[.%{$-])",
           "passwords in URLs", start=""),
    _token("url-password", "%3A%2F%2F,%3a%2f%2f", r"%3[Aa]%2[Ff]%2[Ff](?:[^\s%\"'<>]|%(?!3[Aa]|40|2[Ff])){0,256}%3[Aa](?P<s>(?:[^\s%\"'<>]|%(?!40|2[Ff])){1,512})%40",
           "passwords in percent-encoded URLs", start=""),
    _token("basic-auth", "curl ", r"curl [^\r\n|;]{0,200}?(?:-u|--user|--proxy-user|-U)[ =][\"']?[^\s:\"'/]{1,64}:(?P<s>[^\s\"']{1,256})",
           "a user and a password for curl"),
)  # fmt: skip
"""In the order in which they name what several of them match."""

_NAMED_FOR = frozenset(("bearer", "basic-auth", "url-password"))
"""Kinds whose secret is often a variable's name, a mask or a word for what is to stand there."""
_HINTS = tuple((hint, rank) for rank, token in enumerate(TOKENS) for hint in token.hints)


def known_tokens(text: str, start: int, end: int, take: Callable[[int, str, int, int], None]) -> None:
    """Takes rank, kind, start and end of each form of secret that a part of a text holds, by the hints in it."""
    part = text if end - start == len(text) else text[start:end]
    for hint, rank in [pair for pair in _HINTS if pair[0] in part]:
        token = TOKENS[rank]
        pattern = compiled(token)
        group = pattern.groups  # none, or the one that holds the secret
        least, most = token.before
        at = text.find(hint, start, end)
        while at >= 0:
            after = at + len(hint)
            for begin in range(max(at - most, 0), at - least + 1):
                match = pattern.match(text, begin)
                if match is not None and not (token.kind in _NAMED_FOR and harmless(match[group])):
                    take(rank + 1, token.kind, match.start(group), match.end(group))
                    after = max(match.end(), after)
                    break
            at = text.find(hint, after, end)


_DISCORD_MIDDLE = re.compile(r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,45}(?![A-Za-z0-9_-])")
_DISCORD_BEGIN = re.compile(r"(?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{23,27}\Z")


def discord_tokens(text: str, start: int, end: int, take: Callable[[int, int], None]) -> None:
    """Takes the places of tokens of Discord bots, which are known by their middle alone."""
    for middle in _DISCORD_MIDDLE.finditer(text, start, end):
        begin = _DISCORD_BEGIN.search(text, max(0, middle.start() - 29), middle.start())
        if begin is not None:
            take(begin.start(), middle.end())


_BEGIN = re.compile(r"-----BEGIN[ A-Z0-9_]{0,48}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-[0-9]:")
_FINISH = re.compile(r"-----END[ A-Z0-9_]{0,48}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: [0-9a-f]+")
_BETWEEN = r"(?:[\s\"',>|]|\\{1,8}[nrt])"
_BODY = re.compile(
    rf"(?:{_BETWEEN}{{0,64}}(?:[A-Za-z0-9+/=]{{20,}}|[A-Za-z-]{{3,24}}:[^\n\\]{{0,200}})){{1,9999}}"
    rf"(?:{_BETWEEN}{{0,64}}[A-Za-z0-9+/=]{{1,76}})?"
)
"""What a key consists of, where its end was cut off."""


def private_keys(text: str, take: Callable[[int, int], None]) -> None:
    """Takes the places of private keys: to their end, or where that was cut off, as far as what could be one goes."""
    found = _BEGIN.search(text)
    finish: re.Match[str] | None = None
    more = True
    while found is not None:
        following = _BEGIN.search(text, found.end())
        # Looked for once and kept: a text full of beginnings is not searched to its end from each.
        if more and (finish is None or finish.start() < found.end()):
            finish = _FINISH.search(text, found.end())
            more = finish is not None
        if finish is not None and more and (following is None or finish.end() <= following.start()):
            end = finish.end()
        else:
            body = _BODY.match(text, found.end(), len(text) if following is None else following.start())
            end = found.end() if body is None else body.end()
        take(found.start(), end)
        found = following
