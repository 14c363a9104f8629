import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import * as React from 'react';
import { expect, test, vi } from 'vitest';
import { ApiError } from '../src/api';
import { Observable } from '../src/observable';
import { type IServices, ServicesProvider } from '../src/services';
import type { INotebook, IOptionField, ISubmitted } from '../src/shapes';
import type { IDocument } from '../src/submit/document';
import { NOTHING } from '../src/submit/form';
import { SubmitForm } from '../src/submit/formView';
import { SubmitModel } from '../src/submit/model';
import { trans } from './words';

const memory: IOptionField = {
  name: 'memory',
  flag: '--memory',
  help: 'memory, such as 4G',
  kind: 'memory',
  default: '2048',
  source: 'default',
  choices: [],
  isAdvanced: false,
};
const notebook = {
  path: 'a.ipynb',
  name: 'a',
  kernel: 'python3',
  language: 'python',
  backend: 'local',
  parameters: [{ name: 'lr', type: 'float', help: '', default: '0.1', value: 0.1 }],
  hasParameters: true,
  options: [memory],
  warnings: [],
} satisfies INotebook;
const estimate = {
  queue: 'default',
  chosen: { perHour: 0.5, low: 1, expected: 2, high: 3, worst: 9 },
  isSpot: false,
  basis: 'measured',
  because: 'measured in 3 runs',
  worstBecause: 'timeout of 1 h',
};

/** Refuses one amount of memory, as the server does; keeps what is submitted. */
class Server {
  readonly estimated: unknown[] = [];
  readonly submitted: unknown[] = [];
  ask = (
    route: string,
    { body }: { body?: { options: Record<string, string>; seconds?: string } } = {},
  ): Promise<never> => {
    if (route === 'GET notebooks') {
      return Promise.resolve(notebook as never);
    }
    if (body?.options.memory === 'lots') {
      return Promise.reject(new ApiError('Memory is no amount.', { status: 400, field: 'options.memory' }));
    }
    if (route === 'POST estimate') {
      this.estimated.push(body);
    }
    if (route === 'POST notebooks') {
      this.submitted.push(body);
    }
    const told =
      body?.options.memory === '1T' ? { ...estimate, basis: body.seconds ? 'given' : 'unknown' } : estimate;
    return Promise.resolve((route === 'POST estimate' ? told : { job: { id: 'j' } }) as never);
  };
}

async function shown(document: IDocument = { path: 'a.ipynb', context: null }) {
  const server = new Server();
  const model = new SubmitModel(server, 'a.ipynb', '', NOTHING, trans);
  const accepted: ISubmitted[] = [];
  const kernelspecs = {
    specs: { kernelspecs: { python3: { display_name: 'Python 3' }, ir: { display_name: 'R' } } },
  };
  const app = { serviceManager: { kernelspecs } };
  const services = { app, store: { backends: new Observable(null) }, trans } as unknown as IServices;
  render(
    <ServicesProvider value={services}>
      <SubmitForm
        model={model}
        document={document}
        onClose={() => undefined}
        onSubmitted={one => accepted.push(one)}
      />
    </ServicesProvider>,
  );
  await model.load();
  await screen.findByLabelText(/^lr/);
  return { server, accepted };
}

const type = (label: RegExp, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
const button = (name: RegExp) => screen.getByRole<HTMLButtonElement>('button', { name });

test('a mistake in a parameter is told at its field at once, and nothing can be submitted', async () => {
  await shown();
  type(/^lr/, 'fast');
  const field = screen.getByLabelText(/^lr/);
  expect(field.getAttribute('aria-invalid')).toBe('true');
  expect(document.getElementById(`${field.id}-wrong`)?.textContent).toContain('“fast” is not a number.');
  expect(button(/Submit/).disabled).toBe(true);
  type(/^lr/, '0.2');
  expect(button(/Submit/).disabled).toBe(false);
});

test('what the server refuses of an option stands at that option', async () => {
  await shown();
  type(/^memory/, 'lots');
  await waitFor(() => expect(screen.getByLabelText(/^memory/).getAttribute('aria-invalid')).toBe('true'));
  expect(button(/Submit/).disabled).toBe(true);
});

test('the estimate tells the range and the worst case', async () => {
  await shown();
  await screen.findByText('about $2.00');
  expect(screen.getByText('($1.00 to $3.00)')).toBeTruthy();
  expect(screen.getByText('At worst $9.00', { exact: false })).toBeTruthy();
});

test('where nothing was measured the form asks how long a run takes', async () => {
  const { server } = await shown();
  expect(screen.queryByLabelText(/takes about/)).toBeNull();
  type(/^memory/, '1T');
  await screen.findByLabelText(/takes about/);
  type(/takes about/, '20m');
  await waitFor(() => expect(server.estimated.at(-1)).toMatchObject({ seconds: '20m' }));
  expect(screen.getByLabelText<HTMLInputElement>(/takes about/).value).toBe('20m');
});

test('the kernels of the server are proposed', async () => {
  await shown();
  const proposed = [...document.querySelectorAll('#nbbatch-kernels option')];
  expect(proposed.map(option => option.getAttribute('value'))).toEqual(['python3', 'ir']);
});

test('commas make a sweep, which is submitted as a grid', async () => {
  const { server, accepted } = await shown();
  type(/^lr/, '0.1, 0.01');
  expect(button(/one value of lr/).getAttribute('aria-pressed')).toBe('true');
  expect(screen.getByText('2 runs')).toBeTruthy();
  fireEvent.click(button(/Submit/));
  await waitFor(() => expect(accepted).toHaveLength(1));
  expect(server.submitted[0]).toMatchObject({ grid: { lr: [0.1, 0.01] } });
});

test('unsaved changes are told, and saved before anything is submitted', async () => {
  const signal = { connect: () => true, disconnect: () => true };
  const model = { dirty: true, stateChanged: signal, getMetadata: () => undefined };
  const save = vi.fn(() => {
    model.dirty = false;
    return Promise.resolve();
  });
  const open = { path: 'a.ipynb', context: { model, save } } as unknown as IDocument;
  const { server, accepted } = await shown(open);
  expect(screen.getByText(/unsaved changes/)).toBeTruthy();
  fireEvent.click(button(/Save and Submit/));
  await waitFor(() => expect(accepted).toHaveLength(1));
  expect(save).toHaveBeenCalledOnce();
  expect(server.submitted).toHaveLength(1);
});
