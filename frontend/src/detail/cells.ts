/** The children of an array as a field of cells: how many fit in a row, and which one is where. Pure. */

export interface IField {
  /** Pixels of a cell, the gap behind it included. */
  readonly cell: number;
  readonly columns: number;
  readonly rows: number;
}

const LARGEST = 16;
const SMALLEST = 3;
const TALLEST = 168;

/** The largest cells with which so many fit into this width without getting too tall. */
export function fieldOf(count: number, width: number): IField {
  for (let cell = LARGEST; cell > SMALLEST; cell--) {
    const field = withCells(cell, count, width);
    if (field.rows * cell <= TALLEST) {
      return field;
    }
  }
  return withCells(SMALLEST, count, width);
}

function withCells(cell: number, count: number, width: number): IField {
  const columns = Math.max(1, Math.floor(width / cell));
  return { cell, columns, rows: Math.ceil(count / columns) };
}

/** The child at a point of the field; -1 where there is none. */
export function childAt({ cell, columns }: IField, count: number, x: number, y: number): number {
  const column = Math.floor(x / cell);
  const child = Math.floor(y / cell) * columns + column;
  return column < columns && x >= 0 && y >= 0 && child < count ? child : -1;
}
