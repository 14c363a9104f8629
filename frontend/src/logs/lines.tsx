/**
 * The lines of a log, of which only those on the screen are drawn. It follows new lines while it stands
 * at the end, and stays where it is once somebody scrolled up.
 */

import * as React from 'react';
import { useValue } from '../observable';
import { scrolledTo, useSpan } from '../ui/window';
import { inCss, isPlain, piecesOf } from './ansi';
import type { LogModel } from './model';

/** Pixels; style/logs.css has the same. */
export const LINE_HEIGHT = 18;
/** Pixels from the end that still count as the end. */
const AT_END = 2 * LINE_HEIGHT;
/** Letters of a line that are drawn; the rest is in the copy. */
const LONGEST = 5_000;

interface ILinesProps {
  readonly model: LogModel;
  readonly wanted: string;
  /** Line to bring into view, and how often that was asked for. */
  readonly target: { readonly line: number; readonly times: number };
  readonly following: boolean;
  readonly showTimes: boolean;
  readonly label: string;
  readonly onFollowing: (following: boolean) => void;
}

export function LogLines(props: ILinesProps): React.ReactElement {
  const { model, target, following, onFollowing } = props;
  const { count } = useValue(model.state);
  const scroller = React.useRef<HTMLDivElement>(null);
  const [span, measure] = useSpan(scroller, LINE_HEIGHT, count);
  useEnd(scroller, count, following);
  useEarlier(scroller, model, measure);
  React.useEffect(() => {
    const node = scroller.current;
    if (node && target.line >= 0) {
      node.scrollTop = scrolledTo(target.line, node.scrollTop, node.clientHeight, LINE_HEIGHT);
    }
  }, [target]);
  const onScroll = (event: React.UIEvent<HTMLElement>) => {
    measure();
    const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
    onFollowing(scrollHeight - scrollTop - clientHeight <= AT_END);
  };
  const drawn = Array.from({ length: Math.max(0, span.end - span.first) }, (_, at) => span.first + at);
  return (
    <div
      className="nb-Log-lines"
      ref={scroller}
      onScroll={onScroll}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label={props.label}
      data-lines={count}
    >
      <div className="nb-Log-all jp-RenderedText" style={{ height: count * LINE_HEIGHT }}>
        <pre style={{ top: span.first * LINE_HEIGHT }}>
          {drawn.map(at => (
            <Line key={at} {...props} at={at} isTarget={at === target.line} />
          ))}
        </pre>
      </div>
    </div>
  );
}

/** Stay at the end while it is followed. */
function useEnd(scroller: React.RefObject<HTMLElement | null>, count: number, following: boolean): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line is why it scrolls
  React.useLayoutEffect(() => {
    if (following && scroller.current) {
      scroller.current.scrollTop = scroller.current.scrollHeight;
    }
  }, [scroller, count, following]);
}

/** Bring earlier lines when the beginning comes into view; what is read stays in its place. */
function useEarlier(
  scroller: React.RefObject<HTMLElement | null>,
  model: LogModel,
  measure: () => void,
): void {
  React.useEffect(() => {
    const node = scroller.current;
    const onScroll = async () => {
      if (node && node.scrollTop < node.clientHeight && model.state.value.hasEarlier) {
        const added = await model.earlier();
        node.scrollTop += added * LINE_HEIGHT;
        measure();
      }
    };
    const listener = () => void onScroll();
    node?.addEventListener('scroll', listener, { passive: true });
    return () => node?.removeEventListener('scroll', listener);
  }, [scroller, model, measure]);
}

interface ILineProps extends Pick<ILinesProps, 'model' | 'wanted' | 'showTimes'> {
  readonly at: number;
  readonly isTarget: boolean;
}

function Line({ model, at, wanted, showTimes, isTarget }: ILineProps): React.ReactElement | null {
  const line = model.line(at);
  if (!line) {
    return null;
  }
  const text = line.text.length > LONGEST ? `${line.text.slice(0, LONGEST)}…` : line.text;
  return (
    <div className={isTarget ? 'nb-Log-line nb-mod-target' : 'nb-Log-line'} data-line={at}>
      {showTimes && <time>{`${clock(line.time)} `}</time>}
      {isPlain(text) && model.startOf(at).fg === '' ? (
        <Marked text={text} wanted={wanted} />
      ) : (
        piecesOf(text, model.startOf(at)).pieces.map(({ text: piece, style }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line never change
          <span key={index} {...inCss(style)}>
            <Marked text={piece} wanted={wanted} />
          </span>
        ))
      )}
    </div>
  );
}

function clock(time: number): string {
  return new Date(time).toLocaleTimeString([], { hour12: false });
}

/** A text in which what is searched for is marked. */
function Marked({ text, wanted }: { text: string; wanted: string }): React.ReactElement {
  const pieces = wanted ? split(text, wanted) : [text];
  return (
    <>
      {pieces.map((piece, at) =>
        // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text never change
        at % 2 === 1 ? <mark key={at}>{piece}</mark> : piece,
      )}
    </>
  );
}

/** A text cut at what is searched for: every second piece is a find. Pure. */
export function split(text: string, wanted: string): string[] {
  const lower = text.toLowerCase();
  const sought = wanted.toLowerCase();
  const pieces: string[] = [];
  let from = 0;
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, from)) {
    pieces.push(text.slice(from, at), text.slice(at, at + sought.length));
    from = at + sought.length;
  }
  return [...pieces, text.slice(from)];
}
