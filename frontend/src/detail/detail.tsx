/** All about a job: what became of it and why, first; then what it used, cost, left behind, and is made of. */

import { Button } from '@jupyterlab/ui-components';
import * as React from 'react';
import { Commands } from '../commands';
import { moment } from '../format';
import { hasEnded, lookOf } from '../jobs/look';
import type { Observable } from '../observable';
import { useServices } from '../services';
import type { IJobDetail } from '../shapes';
import { Mark } from '../ui/mark';
import { ArrayPart } from './array';
import type { IJobPlace } from './document';
import { OutputsPart } from './outputs';
import { AttemptsPart, EventsPart, Pairs, Part } from './parts';
import { UsagePart } from './usage';
import { useDetail } from './use_detail';

interface IDetailProps {
  readonly place: IJobPlace;
  readonly revealed: Observable<number>;
  readonly onName: (name: string) => void;
}

export function Detail({ place, revealed, onName }: IDetailProps): React.ReactElement {
  const { store } = useServices();
  const { value: detail, error } = useDetail(store, place.id, place.backend);
  const name = detail && detail.job.name + (detail.index === null ? '' : `[${detail.index}]`);
  React.useEffect(() => {
    if (name) {
      onName(name);
    }
  }, [name, onName]);
  if (!detail) {
    return (
      <div className="nb-Detail" aria-busy={!error} data-phase={error ? 'error' : 'loading'}>
        {error && <p role="alert">{[error.message, error.cure].filter(Boolean).join(' ')}</p>}
      </div>
    );
  }
  return (
    <div className="nb-Detail" data-phase="idle" data-status={detail.job.status}>
      <Head detail={detail} name={name ?? ''} place={place} />
      {detail.why.length > 0 && <Why detail={detail} />}
      {detail.progress && <ProgressPart detail={detail} />}
      {detail.job.size !== null && <ArrayPart detail={detail} place={place} />}
      <UsagePart detail={detail} />
      {(detail.hasOutputs || detail.hasNotebook) && (
        <OutputsPart place={place} revealed={revealed} hasEnded={hasEnded(detail.job.status)} />
      )}
      <AttemptsPart attempts={detail.attempts} />
      <EventsPart events={detail.events} />
      <Facts detail={detail} />
    </div>
  );
}

function Head(props: { detail: IJobDetail; name: string; place: IJobPlace }): React.ReactElement {
  const { detail, name, place } = props;
  const { job } = detail;
  return (
    <header className="nb-Detail-head">
      <h1>
        <Mark look={lookOf(job.status, job.outcome)} label="" />
        {name}
      </h1>
      <p>{detail.story || job.words}</p>
      <Buttons detail={detail} place={place} />
    </header>
  );
}

function Buttons({ detail, place }: { detail: IJobDetail; place: IJobPlace }): React.ReactElement {
  const { app, trans } = useServices();
  const { job } = detail;
  const isArray = job.size !== null;
  const all: [boolean, string, string][] = [
    [detail.hasLog && !isArray, Commands.openLog, trans.__('Log')],
    [detail.hasNotebook, Commands.openNotebook, trans.__('Open executed notebook')],
    [job.canCancel, Commands.cancelJob, trans.__('Cancel…')],
    [job.canTerminate, Commands.terminateJob, trans.__('Terminate…')],
    [job.canRetry, Commands.retryJob, isArray ? trans.__('Retry failed items') : trans.__('Retry')],
    [true, Commands.insertCode, trans.__('Insert reattach code')],
    [true, Commands.copyId, trans.__('Copy id')],
  ];
  return (
    <div className="nb-Buttons">
      {all
        .filter(([holds]) => holds)
        .map(([, command, label]) => (
          <Button
            key={command}
            small
            data-command={command}
            onClick={() => void app.commands.execute(command, { ...place })}
          >
            {label}
          </Button>
        ))}
    </div>
  );
}

function Why({ detail }: { detail: IJobDetail }): React.ReactElement {
  const isBad = detail.job.status === 'FAILED';
  return (
    <div className={isBad ? 'nb-Why nb-mod-error' : 'nb-Why'} data-part="why">
      {detail.why.map(line => (
        <p key={line}>{line}</p>
      ))}
    </div>
  );
}

function ProgressPart({ detail }: { detail: IJobDetail }): React.ReactElement | null {
  const { trans } = useServices();
  const { progress } = detail;
  if (!progress) {
    return null;
  }
  const of = progress.n === null ? '' : ` ${trans.__('of')} ${progress.n}`;
  return (
    <Part title={trans.__('Progress')} name="progress">
      <progress value={progress.i} max={progress.n ?? undefined} aria-label={trans.__('Progress')} />
      <span className="nb-weak">{` ${progress.i}${of} ${progress.text}`}</span>
    </Part>
  );
}

function Facts({ detail }: { detail: IJobDetail }): React.ReactElement {
  const { trans } = useServices();
  const { job } = detail;
  const pairs: [string, string][] = [
    [trans.__('Id'), job.id],
    [trans.__('Queue'), job.queue],
    [trans.__('Submitted'), moment(job.created)],
    [trans.__('Started'), moment(job.started)],
    [trans.__('Ended'), moment(job.stopped)],
    [trans.__('Host'), detail.host],
    [trans.__('Notebook'), job.notebook],
    [trans.__('Image'), detail.image],
    [trans.__('Definition'), detail.definition],
    [trans.__('Command'), detail.command.join(' ')],
    [trans.__('Depends on'), detail.dependsOn.join(', ')],
    ...detail.facts.map(({ name, value }): [string, string] => [name, value]),
  ];
  return (
    <>
      <Part title={trans.__('About')} name="about">
        <Pairs pairs={pairs} />
      </Part>
      <More title={trans.__('Parameters')} name="parameters" values={detail.parameters} />
      <More title={trans.__('Environment')} name="environment" values={detail.environment} />
      <More title={trans.__('Tags')} name="tags" values={detail.tags} />
    </>
  );
}

function More(props: {
  title: string;
  name: string;
  values: Record<string, string>;
}): React.ReactElement | null {
  const pairs = Object.entries(props.values);
  return pairs.length === 0 ? null : (
    <Part title={`${props.title} (${pairs.length})`} name={props.name} closed>
      <Pairs pairs={pairs} />
    </Part>
  );
}
