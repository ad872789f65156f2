// The one place where secrets are taken out of text that a person or a log may see:
// credentials in URLs, Authorization values, and the signed parts of storage URLs.

const URL_USERINFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*@/gi;
const AUTHORIZATION = /\b(bearer|basic)\s+(?!realm=)[A-Za-z0-9._~+/=-]{8,}/gi;
const SECRET_PARAMETER =
  /([?&](?:[a-z-]*(?:signature|token|credential|password|secret|policy|key-pair-id)|sig|se|sp|sv)=)[^&\s"']+/gi;
const SECRET_FIELD =
  /("(?:password|identitytoken|registrytoken|auth|token|access_token|refresh_token|Secret)"\s*:\s*")[^"]*/gi;

/** Messages are lines, not documents: what is longer came from outside, and the patterns would take ages over it. */
const MAX_LENGTH = 10_000;

/** `text` with every secret replaced by `***`; cut when it is very long. */
export function redact(text: string): string {
  return (text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text)
    .replace(URL_USERINFO, '$1***@')
    .replace(AUTHORIZATION, '$1 ***')
    .replace(SECRET_PARAMETER, '$1***')
    .replace(SECRET_FIELD, '$1***');
}
