/** The row of tabs: arrows, Home and End move, as the ARIA pattern for tabs says. */

import * as React from 'react';
import type { ISection } from '../sidebar';

interface ITabsProps {
  readonly sections: readonly ISection[];
  readonly open: string;
  readonly onOpen: (id: string) => void;
}

export function Tabs({ sections, open, onOpen }: ITabsProps): React.ReactElement {
  const list = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = sections.findIndex(section => section.id === open);
    const next = sections[neighbour(event.key, at, sections.length)];
    if (next) {
      event.preventDefault();
      onOpen(next.id);
      list.current?.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
    }
  };
  return (
    <div className="nb-Tabs" role="tablist" aria-label="nbbatch" ref={list} onKeyDown={onKeyDown}>
      {sections.map(({ id, label }) => (
        <button
          key={id}
          type="button"
          className="nb-Tab"
          role="tab"
          id={`nbbatch-tab-${id}`}
          data-tab={id}
          aria-selected={id === open}
          aria-controls={`nbbatch-section-${id}`}
          tabIndex={id === open ? 0 : -1}
          onClick={() => onOpen(id)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

/** Where a key leads from a tab; -1 where it leads nowhere. */
export function neighbour(key: string, at: number, count: number): number {
  switch (key) {
    case 'ArrowRight':
      return (at + 1) % count;
    case 'ArrowLeft':
      return (at - 1 + count) % count;
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return -1;
  }
}
