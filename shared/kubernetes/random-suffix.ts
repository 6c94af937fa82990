/** No vowels and nothing easily mistaken for another sign: words and confusion are avoided (apimachinery `util/rand`). */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;
const maximumNameLength = 63;

/** Five characters for the end of a generated name. `random` answers uniformly in [0, 1). */
export function generateSuffix(random: () => number): string {
  let suffix = "";
  for (let i = 0; i < suffixLength; i++) suffix += alphabet.charAt(Math.floor(random() * alphabet.length));
  return suffix;
}

/** A name from `metadata.generateName`: the base, cut to 58 characters, and a suffix (apiserver `names.SimpleNameGenerator`). */
export function generateName(base: string, random: () => number): string {
  return base.slice(0, maximumNameLength - suffixLength) + generateSuffix(random);
}
