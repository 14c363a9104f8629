/** Chooses a child of an array by its index. */

import * as React from 'react';
import { useServices } from '../services';

interface IChooserProps {
  readonly size: number;
  readonly chosen: number | null;
  readonly onChoose: (index: number) => void;
}

export function ChildChooser({ size, chosen, onChoose }: IChooserProps): React.ReactElement {
  const { trans } = useServices();
  return (
    <label className="nb-Chooser">
      {trans.__('Child')}
      <input
        className="jp-mod-styled"
        type="number"
        min={0}
        max={size - 1}
        value={chosen ?? ''}
        placeholder={`0–${size - 1}`}
        onChange={event => {
          const index = event.currentTarget.valueAsNumber;
          if (Number.isInteger(index) && index >= 0 && index < size) {
            onChoose(index);
          }
        }}
      />
    </label>
  );
}
