/**
 * Number of single-letter edits, swaps of neighbours included, between two words.
 * @returns something above `most` where it is above that
 */
function editDistance(left: string, right: string, most: number): number {
  if (Math.abs(left.length - right.length) > most) return most + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let best = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]) {
        best = Math.min(best, beforeLast[column - 2]! + 1);
      }
      current.push(best);
    }
    // Whatever follows, it is no fewer than the fewest so far of two rows: a swap goes back by two.
    if (Math.min(...current) > most && Math.min(...last) > most) return most + 1;
    [beforeLast, last] = [last, current];
  }
  return last[right.length]!;
}

/**
 * Finds the known name a mistyped one most likely stands for.
 *
 * @returns the nearest candidate, or undefined when none is near enough to be a slip of the keyboard.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const word = name.slice(0, 64).toLowerCase();
  const tolerance = Math.max(1, Math.floor(word.length / 3));
  let nearest: { name: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const most = nearest ? nearest.distance - 1 : tolerance;
    const distance = editDistance(word, candidate.toLowerCase(), most);
    if (distance <= most) nearest = { name: candidate, distance };
  }
  return nearest?.name;
}
