const rules: [RegExp, string][] = [
  [/\b(Bearer|aether\.bearer\.)(\s*)[\w.~+/=-]+/gi, "$1$2[redacted]"],
  [/\b(aether_(?:[a-z]+_)?)[A-Za-z0-9]{16,}/g, "$1[redacted]"],
  [/([?&](?:signature|x-amz-signature|x-amz-credential|x-amz-security-token|token)=)[^&\s"']+/gi, "$1[redacted]"],
];

/** `text` without bearer tokens and without the signatures of presigned URLs. */
export function redact(text: string): string {
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}
