/** What changed between two texts, line by line, for people. */

/** Lines with `-` (gone), `+` (new) and some unchanged ones around them; empty when nothing changed. */
export function lineDiff(before: string, after: string, context = 1): string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const lengths = commonLengths(old, now);
  const marked: { readonly mark: ' ' | '-' | '+'; readonly line: string }[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      marked.push({ mark: ' ', line: old[i] as string });
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && length(lengths, i + 1, j) >= length(lengths, i, j + 1))) {
      marked.push({ mark: '-', line: old[i++] as string });
    } else {
      marked.push({ mark: '+', line: now[j++] as string });
    }
  }
  const isNear = (at: number): boolean =>
    marked.slice(Math.max(0, at - context), at + context + 1).some(({ mark }) => mark !== ' ');
  return marked.filter((_, at) => isNear(at)).map(({ mark, line }) => `${mark} ${line}`.trimEnd());
}

/** How many lines the ends of both texts from (i, j) on have in common, in order. */
function commonLengths(old: readonly string[], now: readonly string[]): number[][] {
  const lengths = Array.from({ length: old.length + 1 }, () => new Array<number>(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      (lengths[i] as number[])[j] =
        old[i] === now[j]
          ? length(lengths, i + 1, j + 1) + 1
          : Math.max(length(lengths, i + 1, j), length(lengths, i, j + 1));
    }
  }
  return lengths;
}

function length(lengths: readonly (readonly number[])[], i: number, j: number): number {
  return lengths[i]?.[j] ?? 0;
}
