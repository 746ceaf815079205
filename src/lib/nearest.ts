import { closest, distance } from "fastest-levenshtein";

/** The candidate a person most likely meant, or undefined when none is close. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const match = closest(word, candidates);
  const allowed = Math.max(1, Math.floor(Math.max(word.length, match.length) / 3));
  const isNear = distance(word, match) <= allowed || match.startsWith(word) || letters(word) === letters(match);
  return isNear ? match : undefined;
}

/** Equal for words whose letters were only mixed up: `lsit` costs two edits, as many as another word would. */
const letters = (word: string): string => [...word].sort().join("");

/** `Did you mean "x"?` for an unknown word, or undefined. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const match = nearest(word, candidates);
  return match === undefined ? undefined : `Did you mean "${match}"?`;
}
