import { AetherError } from "../../lib/errors.ts";

/** Why an artifact is refused: `details.rule` of the error. */
export type RefusalRule =
  | "gzip_header"
  | "gzip_data"
  | "gzip_truncated"
  | "gzip_checksum"
  | "gzip_trailing"
  | "limit_bytes"
  | "limit_entries"
  | "limit_names"
  | "limit_members"
  | "limit_ratio"
  | "limit_time"
  | "limit_links"
  | "tar_checksum"
  | "tar_format"
  | "tar_number"
  | "tar_truncated"
  | "tar_no_end"
  | "tar_after_end"
  | "entry_type"
  | "entry_size"
  | "hard_link"
  | "pax_invalid"
  | "pax_key"
  | "pax_size_mismatch"
  | "extension_order"
  | "extension_too_large"
  | "path_empty"
  | "path_absolute"
  | "path_traversal"
  | "path_drive"
  | "path_backslash"
  | "path_control"
  | "path_bidi"
  | "path_encoding"
  | "path_trailing"
  | "path_component"
  | "path_too_long"
  | "path_too_deep"
  | "path_reserved"
  | "duplicate"
  | "name_twin"
  | "kind_conflict"
  | "through_link"
  | "link_absolute"
  | "link_escape"
  | "link_loop"
  | "link_to_root"
  | "link_target"
  | "manifest_invalid"
  | "manifest_missing_file"
  | "manifest_extra_file"
  | "manifest_mismatch";

interface Refusal {
  /** The entry at fault, as the archive spells it. */
  entry?: string;
  hint?: string;
}

/** The error for an artifact that is not unpacked: names the entry, and the rule for machines. */
export function refusal(rule: RefusalRule, why: string, { entry, hint }: Refusal = {}): AetherError {
  const subject = entry === undefined ? "The artifact is refused" : `The artifact is refused at "${shownName(entry)}"`;
  return new AetherError("artifact_invalid", `${subject}: ${why}.`, {
    hint: hint ?? "Pack it again with `aether deploy`, or with `tar czf app.tar.gz -C <folder> .`.",
    details: { rule, ...(entry === undefined ? {} : { entry: shownName(entry) }) },
  });
}

/** A name as it may be printed: nothing that moves a cursor or reverses text, and not too long. */
export function shownName(name: string): string {
  const short = name.length > 160 ? `${name.slice(0, 120)}…${name.slice(-30)}` : name;
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}
