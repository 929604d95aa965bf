/** One of several, by weight and a number in [0, 1) that chance gives. */
export function byWeight<Item extends { weight: number }>(items: readonly [Item, ...Item[]], chance: number): Item {
  let left = chance * items.reduce((sum, { weight }) => sum + weight, 0);
  for (const item of items) {
    left -= item.weight;
    if (left < 0) return item;
  }
  // Rounding may leave a rest.
  return items[0];
}
