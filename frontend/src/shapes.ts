/* Written by scripts/shapes from nbbatch/jupyter/routes/shapes*.py and nbbatch/client/colours.py. */

/** The seven states of a job, in the order a job passes them (user guide, "Job states"). */
export type JobStatus = (typeof STATUSES)[number];

export const STATUSES = ['SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING', 'SUCCEEDED', 'FAILED'] as const;

/** How a job ended. */
export type Outcome = (typeof OUTCOMES)[number];

export const OUTCOMES = ['succeeded', 'exited', 'timed out', 'out of memory', 'cancelled', 'terminated', 'host lost', 'dependency failed', 'could not start', 'children failed'] as const;

/** What a job is to its user; `nodes` is a multi-node job. */
export type JobKind = 'job' | 'array' | 'notebook' | 'sweep' | 'script' | 'nodes';

/** Whether a backend answers; `absent` and `stopped` are a local daemon that can be started. */
export type BackendState = 'ready' | 'absent' | 'stopped' | 'unreachable';

/** How an option of a job is asked for. */
export type OptionKind = 'text' | 'number' | 'integer' | 'memory' | 'duration' | 'flag' | 'pairs' | 'list';

/** The body of every answer that is not 2xx. */
export interface IProblem {
  /** What happened and with which value, one sentence. */
  message: string;
  /** What to do about it; may be empty. */
  cure: string;
  /** The member of the request, option or parameter that is wrong; empty where no single one is. */
  field: string;
  /** For programs: the error's class in nbbatch's tree, such as `OptionError` or `BackendUnreachableError`; `NoDaemon` where a local daemon has to be started first. */
  reason: string;
}

/** A backend of the configuration. */
export interface IBackendRow {
  /** As configured; `kind` is `local` or `aws`, to be shown, not to be asked for. */
  name: string;
  /** As configured; `kind` is `local` or `aws`, to be shown, not to be asked for. */
  kind: string;
  /** As configured; `kind` is `local` or `aws`, to be shown, not to be asked for. */
  region: string;
  /** Whether it is the one without a name. */
  isDefault: boolean;
  /** Whether it answers; an AWS account is asked only by the other routes, and counts as ready. */
  state: BackendState;
  /** Why not, and what to do. */
  message: string;
  /** Why not, and what to do. */
  cure: string;
  /** Whether POST `backends/start` would help. */
  canStart: boolean;
  /** The file that configures it; empty for the one that is always there. */
  source: string;
  /** Whether `news` hears of changes at once; else it has to look. */
  isPushing: boolean;
  /** Of a local daemon that runs: what runs its jobs, its version and its folder. */
  executor: string;
  /** Of a local daemon that runs: what runs its jobs, its version and its folder. */
  version: string;
  /** Of a local daemon that runs: what runs its jobs, its version and its folder. */
  home: string;
}

/** GET `backends`. */
export interface IBackends {
  /** The default one first. */
  backends: IBackendRow[];
  /** Name of the default one. */
  default: string;
  /** Of nbbatch on the server. */
  version: string;
}

/** POST `backends/start`: start the local daemon. */
export interface IStartBackend {
  /** Its name; empty for the default one. */
  backend?: string;
}

/** One job of the list; an array is one row. */
export interface IJobRow {
  /** As Batch has them; the queue by its name. */
  id: string;
  /** As Batch has them; the queue by its name. */
  name: string;
  /** As Batch has them; the queue by its name. */
  queue: string;
  /** What it is to its user. */
  kind: JobKind;
  /** File name of the notebook that it runs; empty for other kinds. */
  notebook: string;
  /** One of Batch's seven. */
  status: JobStatus;
  /** Batch's reason for the status; may be empty. */
  reason: string;
  /** How it ended, told apart where Batch only says FAILED; null while it has not. */
  outcome: Outcome | null;
  /** Its status for people: `RUNNING`, `FAILED (exit code 3)`, `FAILED (timed out)`, `PENDING (cancel asked)`. */
  words: string;
  /** Epoch ms. */
  created: number;
  /** Epoch ms. */
  started: number | null;
  /** Epoch ms. */
  stopped: number | null;
  /** How long its last attempt ran; null before it started. Of one that runs `started` tells it. */
  seconds: number | null;
  /** Of the last attempt. */
  exitCode: number | null;
  /** Children of an array; null for all else. */
  size: number | null;
  /** Children of an array by status; empty for all else. */
  counts: Record<string, number>;
  /** Failed children of an array by way to fail (an `Outcome`); may lag behind `counts`. */
  failures: Record<string, number>;
  /** Dollars so far at the prices its attempts were placed with; null where the list does not know. */
  cost: number | null;
  /** Which actions make sense now. */
  canCancel: boolean;
  /** Which actions make sense now. */
  canTerminate: boolean;
  /** Which actions make sense now. */
  canRetry: boolean;
}

/** GET `jobs`: the newest jobs first. */
export interface IJobs {
  /** Whose they are. */
  backend: string;
  /** A page; with `since` those that changed after it, in no order of pages. */
  jobs: IJobRow[];
  /** Given as `page` it asks for the next one; empty on the last one. */
  token: string;
  /** To be given as `since` here, or to `news`. */
  cursor: string;
  /** With `since`: ids that are no longer kept or no longer match. */
  gone: string[];
  /** With `since`: the cursor was too old, and this is the first page instead. */
  isReset: boolean;
  /** How many jobs match, as far as they are known. */
  total: number;
  /** False where there may be more than `total`. */
  isTotalExact: boolean;
  /** Names of all queues, for a filter. */
  queues: string[];
}

/** A job that ended since the last news: what a notification says. */
export interface IEnded {
  /** Of the job, or of the array as a whole. */
  id: string;
  /** Of the job, or of the array as a whole. */
  name: string;
  /** Of the job, or of the array as a whole. */
  queue: string;
  /** How it ended. */
  outcome: Outcome;
  /** One sentence. */
  words: string;
  /** Epoch ms. */
  stopped: number;
}

/** GET `news`: what changed since a cursor; the answer may take `timeout` seconds when nothing does. */
export interface INews {
  /** Where. */
  backend: string;
  /** For the next question. */
  cursor: string;
  /** Jobs that changed, or came to be, as they are now. */
  jobs: IJobRow[];
  /** Ids that are no longer kept. */
  gone: string[];
  /** Those that ended since. */
  ended: IEnded[];
  /** The cursor was missing or too old: the list has to be asked for again. */
  isReset: boolean;
  /** Seconds after which to ask again; 0 where the question itself waits. */
  pause: number;
  /** Why no local daemon answers, one sentence: then there is no other news, and the cursor is the one that was asked with. Empty where one does, or an account is asked. */
  noDaemon: string;
}

/** One try at running a job. */
export interface IAttempt {
  /** 1 for the first. */
  number: number;
  /** Epoch ms; `started` is null where its container never ran. */
  started: number | null;
  /** Epoch ms; `started` is null where its container never ran. */
  stopped: number | null;
  /** null where no container reported one. */
  exitCode: number | null;
  /** May be empty. */
  reason: string;
  /** May be empty. */
  host: string;
  /** May be empty. */
  logStream: string;
}

/** What a job asked for and used; of an array over all children. */
export interface IUsage {
  /** Asked for by one attempt; MiB. */
  vcpus: number;
  /** Asked for by one attempt; MiB. */
  memory: number;
  /** Asked for by one attempt; MiB. */
  gpus: number;
  /** Time its attempts ran, together. */
  seconds: number;
  /** User and system time; vCPUs busy on average. null where nobody measured. */
  cpuSeconds: number | null;
  /** User and system time; vCPUs busy on average. null where nobody measured. */
  busyVcpus: number | null;
  /** MiB, the largest of all attempts. */
  peakMemory: number | null;
}

/** Dollars so far, at the prices frozen when each attempt started. */
export interface ICost {
  /** At On-Demand and at Spot prices. */
  onDemand: number;
  /** At On-Demand and at Spot prices. */
  spot: number;
  /** Of the last attempt's host; empty where unknown. */
  instanceType: string;
}

/** How far a job says it is. */
export interface IProgress {
  /** So much is done, of how much. */
  i: number;
  /** So much is done, of how much. */
  n: number | null;
  /** What it is doing. */
  text: string;
  /** Which item of an array it is about. */
  item: number | null;
}

/** A change of a job's status. */
export interface IMoment {
  /** Epoch ms. */
  time: number;
  /** What it became, and why; `blocked` where it began to block its queue. */
  status: string;
  /** What it became, and why; `blocked` where it began to block its queue. */
  reason: string;
  /** Which child of an array it was. */
  child: number | null;
}

/** A line of a job's definition or request. */
export interface IFact {
  /** In words. */
  name: string;
  /** In words. */
  value: string;
}

/** GET `jobs/<id>`. */
export interface IJobDetail {
  /** As in the list. */
  job: IJobRow;
  /** Where it is. */
  backend: string;
  /** How it ended, or what its status is: one sentence. */
  story: string;
  /** Why it waits, or why it failed and what to do, sentence by sentence. */
  why: string[];
  /** Ended ones, oldest first; of an array none: its children have them. */
  attempts: IAttempt[];
  /** null where nobody knows. */
  usage: IUsage | null;
  /** null where nobody knows. */
  cost: ICost | null;
  /** The last it told. */
  progress: IProgress | null;
  /** What runs in the container. */
  command: string[];
  /** The image, and the job definition with its revision. */
  image: string;
  /** The image, and the job definition with its revision. */
  definition: string;
  /** Timeout, retries, tags, dependencies, ... for people. */
  facts: IFact[];
  /** As submitted; values of variables that look like credentials are hidden. `parameters` are a notebook's, as JSON. */
  environment: Record<string, string>;
  /** As submitted; values of variables that look like credentials are hidden. `parameters` are a notebook's, as JSON. */
  tags: Record<string, string>;
  /** As submitted; values of variables that look like credentials are hidden. `parameters` are a notebook's, as JSON. */
  parameters: Record<string, string>;
  /** Ids. */
  dependsOn: string[];
  /** Where it runs or ran last. */
  host: string;
  /** The newest of its life, oldest first; of an array without its children. */
  events: IMoment[];
  /** Of an array as in `Children.statuses`. */
  children: string;
  /** Which of these there may be. */
  hasLog: boolean;
  /** Which of these there may be. */
  hasOutputs: boolean;
  /** Which of these there may be. */
  hasNotebook: boolean;
  /** Of a child of an array. */
  index: number | null;
  /** Id of the array that it is a child of. */
  parent: string;
}

/** Children that failed alike. */
export interface IFailureGroup {
  /** How. */
  outcome: Outcome;
  /** The same for people, exit codes told apart. */
  words: string;
  /** How many. */
  count: number;
  /** The first hundred of them. */
  indexes: number[];
}

/** GET `jobs/<id>/children`: all children of an array. */
export interface IChildren {
  /** Of the array. */
  id: string;
  /** How many there are. */
  size: number;
  /** A digit for each child by index: its place in `order`. */
  statuses: string;
  /** What the digits mean. */
  order: JobStatus[];
  /** Children by status. */
  counts: Record<string, number>;
  /** The most frequent first. */
  failures: IFailureGroup[];
}

/** A line of a log. */
export interface ILogLine {
  /** Epoch ms. */
  time: number;
  /** May have ANSI colours. */
  text: string;
}

/** GET `jobs/<id>/logs`: some lines of one attempt, oldest first. */
export interface ILogPage {
  /** Notes of nbbatch itself left out. */
  lines: ILogLine[];
  /** Given as `page`: what comes after, what was before; empty `backward`: this is the beginning. */
  forward: string;
  /** Given as `page`: what comes after, what was before; empty `backward`: this is the beginning. */
  backward: string;
  /** Of which attempt; 0 where there is no log yet. */
  attempt: number;
  /** How many attempts have a log. */
  attempts: number;
  /** No more will come of this attempt: nothing to follow. */
  isOver: boolean;
}

/** POST `jobs/<id>/cancel` and `jobs/<id>/terminate`. */
export interface IReason {
  /** Kept with the job; a sentence of the sidebar's own where it is empty. */
  reason?: string;
}

/** POST `jobs/<id>/retry`: submit the same again, of an array only what failed. */
export interface IRetry {
  /** Of an array all items, not only those that failed. */
  whole?: boolean;
}

/** What an action did. */
export interface IDone {
  /** Of the job; after a retry of the new one. */
  id: string;
  /** What happened, one sentence. */
  words: string;
  /** As it is now. */
  job: IJobRow;
}

/** What the job's code raised. */
export interface IRemoteError {
  /** The exception's class, its text, and the traceback as the job printed it (with ANSI colours where it had them). */
  type: string;
  /** The exception's class, its text, and the traceback as the job printed it (with ANSI colours where it had them). */
  message: string;
  /** The exception's class, its text, and the traceback as the job printed it (with ANSI colours where it had them). */
  traceback: string;
}

/** A cell of a notebook that runs as a job. */
export interface ICell {
  /** Its place among all cells, from 0. */
  index: number;
  /** `code` or `markdown`; status is papermill's: pending, running, completed, failed. */
  kind: string;
  /** `code` or `markdown`; status is papermill's: pending, running, completed, failed. */
  source: string;
  /** `code` or `markdown`; status is papermill's: pending, running, completed, failed. */
  status: string;
  /** As in `In [5]`. */
  count: number | null;
  /** How long it took. */
  seconds: number | null;
  /** `code` or `markdown`; status is papermill's: pending, running, completed, failed. */
  error: string;
}

/** What became of one of the items that a child of an array ran. */
export interface IItemEnd {
  /** In the whole array. */
  position: number;
  /** `succeeded`, `failed`, or `left`: it did not get that far, or nobody has told yet. */
  state: 'succeeded' | 'failed' | 'left';
  /** What it raised, in a line; empty where it raised nothing. */
  error: string;
  /** How long it took, where that is known. */
  seconds: number | null;
}

/** GET `jobs/<id>/outputs`: what a job has left. */
export interface IOutputs {
  /** Of the job, or of the child. */
  id: string;
  /** Of a child that ran more than one item; empty for all else. */
  items: IItemEnd[];
  /** Position of the item that this is about; null where it is about all of them. */
  item: number | null;
  /** In the notebook format (nbformat 4), in order: `stream`, `display_data`, `execute_result`, `error`. Not to be trusted: render them without trust. */
  outputs: (Record<string, unknown>)[];
  /** What its code raised. */
  error: IRemoteError | null;
  /** What a notebook has recorded, as text. */
  values: Record<string, string>;
  /** Of a notebook, as far as it got. */
  cells: ICell[];
  /** Whether POST `jobs/<id>/outputs` has an executed notebook to save. */
  canSave: boolean;
  /** Where that was saved before, from the server's root; empty where it was not. */
  path: string;
  /** Some outputs were too large to be sent and are left out. */
  isCut: boolean;
}

/** POST `jobs/<id>/outputs`: save the executed notebook beside its source. */
export interface ISaveNotebook {
  /** Another folder, from the server's root. Where nobody knows the source's place, this one or the root. */
  folder?: string;
  /** Position of the item whose notebook is meant, of a child that ran several; null for the first. */
  item?: number | null;
}

/** Where the executed notebook stands. */
export interface ISavedNotebook {
  /** From the server's root, to be opened; its name has the job's first letters. */
  path: string;
  /** False where it stood there already, from the same state of the job. */
  isNew: boolean;
}

/** GET `jobs/<id>/code`: lines that reattach the job in a notebook. */
export interface ICode {
  /** Python, ready to be run. */
  code: string;
  /** The variable that it binds. */
  name: string;
}

/** A compute environment of a queue. */
export interface IEnvironment {
  /** `type` is EC2, SPOT, FARGATE, ...; `state` its status while that is not VALID; `reason` may be empty. */
  name: string;
  /** `type` is EC2, SPOT, FARGATE, ...; `state` its status while that is not VALID; `reason` may be empty. */
  type: string;
  /** `type` is EC2, SPOT, FARGATE, ...; `state` its status while that is not VALID; `reason` may be empty. */
  state: string;
  /** `type` is EC2, SPOT, FARGATE, ...; `state` its status while that is not VALID; `reason` may be empty. */
  reason: string;
  /** What it may have, has, and gives to jobs now; null where the backend does not tell it. */
  maxVcpus: number | null;
  /** What it may have, has, and gives to jobs now; null where the backend does not tell it. */
  provisionedVcpus: number | null;
  /** What it may have, has, and gives to jobs now; null where the backend does not tell it. */
  usedVcpus: number | null;
  /** How many there are; null where the backend does not tell it. */
  hosts: number | null;
}

/** A job queue. */
export interface IQueueRow {
  /** `state` is ENABLED or DISABLED, or its status while that is not VALID. */
  name: string;
  /** `state` is ENABLED or DISABLED, or its status while that is not VALID. */
  state: string;
  /** Batch's reason for it; may be empty. */
  reason: string;
  /** Higher ones are served first. */
  priority: number;
  /** Jobs by status that have not ended, children of arrays counted. */
  depth: Record<string, number>;
  /** False where numbers mean "that many or more", arrays counted as one. */
  isDepthExact: boolean;
  /** Why its first job does not start; empty where nothing is blocked. */
  blocked: string;
  /** Ids of the jobs that are next. */
  front: string[];
  /** Of all its environments; wanted by RUNNABLE jobs. null where the backend does not tell it. */
  wantedVcpus: number | null;
  /** Of all its environments; wanted by RUNNABLE jobs. null where the backend does not tell it. */
  provisionedVcpus: number | null;
  /** Of all its environments; wanted by RUNNABLE jobs. null where the backend does not tell it. */
  usedVcpus: number | null;
  /** Of all its environments. */
  maxVcpus: number;
  /** In order of preference. */
  environments: IEnvironment[];
}

/** GET `queues`. */
export interface IQueues {
  /** Whose they are. */
  backend: string;
  /** By priority, then name. */
  queues: IQueueRow[];
}

/** What a queue cost on one day (UTC). */
export interface IQueueCost {
  /** `2026-01-31`; its name. */
  day: string;
  /** `2026-01-31`; its name. */
  queue: string;
  /** Jobs and array children; `attempts` that began. */
  submitted: number;
  /** Jobs and array children; `attempts` that began. */
  succeeded: number;
  /** Jobs and array children; `attempts` that began. */
  failed: number;
  /** Jobs and array children; `attempts` that began. */
  attempts: number;
  /** They ran, and used. */
  seconds: number;
  /** They ran, and used. */
  cpuSeconds: number;
  /** Dollars for their shares of hosts; the same at On-Demand prices; what of it Spot took back; and saved = on_demand - lost - charged. */
  charged: number;
  /** Dollars for their shares of hosts; the same at On-Demand prices; what of it Spot took back; and saved = on_demand - lost - charged. */
  onDemand: number;
  /** Dollars for their shares of hosts; the same at On-Demand prices; what of it Spot took back; and saved = on_demand - lost - charged. */
  lost: number;
  /** Dollars for their shares of hosts; the same at On-Demand prices; what of it Spot took back; and saved = on_demand - lost - charged. */
  saved: number;
}

/** What whole hosts of an environment cost on one day (UTC). */
export interface IEnvironmentCost {
  /** As in `QueueCost`. */
  day: string;
  /** As in `QueueCost`. */
  environment: string;
  /** Dollars: all of them, what jobs held of them, and the rest. */
  hosts: number;
  /** Dollars: all of them, what jobs held of them, and the rest. */
  used: number;
  /** Dollars: all of them, what jobs held of them, and the rest. */
  idle: number;
}

/** What the jobs of a name cost. */
export interface INameCost {
  /** Of the jobs. */
  name: string;
  /** How many; an array counts as one. */
  jobs: number;
  /** Dollars at On-Demand prices, the same at Spot prices, and what of the first went with lost hosts. */
  onDemand: number;
  /** Dollars at On-Demand prices, the same at Spot prices, and what of the first went with lost hosts. */
  spot: number;
  /** Dollars at On-Demand prices, the same at Spot prices, and what of the first went with lost hosts. */
  lost: number;
}

/** The day's cap. */
export interface IBudget {
  /** Dollars. */
  spentToday: number;
  /** The cap; null without one. */
  perDay: number | null;
  /** Whether jobs wait for tomorrow because of it. */
  isSpent: boolean;
}

/** GET `costs`. */
export interface ICosts {
  /** Whose they are. */
  backend: string;
  /** The day (UTC) that counts as today. */
  today: string;
  /** Today's sums in dollars; `idle` is what hosts cost beside jobs, apart from `charged`. */
  charged: number;
  /** Today's sums in dollars; `idle` is what hosts cost beside jobs, apart from `charged`. */
  onDemand: number;
  /** Today's sums in dollars; `idle` is what hosts cost beside jobs, apart from `charged`. */
  saved: number;
  /** Today's sums in dollars; `idle` is what hosts cost beside jobs, apart from `charged`. */
  lost: number;
  /** Today's sums in dollars; `idle` is what hosts cost beside jobs, apart from `charged`. */
  idle: number;
  /** By day and queue. */
  queues: IQueueCost[];
  /** By day and environment. */
  environments: IEnvironmentCost[];
  /** Over all these days, the dearest first. */
  names: INameCost[];
  /** How many of the newest jobs these sums are of. */
  namedJobs: number;
  /** False where there may be older ones that are not in them. */
  isNamedExact: boolean;
  /** null where the backend has none. */
  budget: IBudget | null;
}

/** POST `costs/budget`: the day's cap. */
export interface ISetBudget {
  /** Dollars; null takes it away. */
  perDay?: number | null;
}

/** What the notebook's cell tagged `parameters` assigns. */
export interface IParameter {
  /** Of the variable. */
  name: string;
  /** As annotated or commented there; may be empty. */
  type: string;
  /** As annotated or commented there; may be empty. */
  help: string;
  /** The expression that is assigned, as it stands there. */
  default: string;
  /** The same as a JSON value, null where it is none. */
  value: unknown;
}

/** An option of the job, for a field of the form. */
export interface IOptionField {
  /** As a keyword, as in `%%batch`, and in one sentence. */
  name: string;
  /** As a keyword, as in `%%batch`, and in one sentence. */
  flag: string;
  /** As a keyword, as in `%%batch`, and in one sentence. */
  help: string;
  /** How to ask for it. */
  kind: OptionKind;
  /** What holds where it is left empty, and who says so (`default`, `/path/nbbatch.toml:3`). */
  default: string;
  /** What holds where it is left empty, and who says so (`default`, `/path/nbbatch.toml:3`). */
  source: string;
  /** Values that there are, where they are known: queues, definitions, images, presets. */
  choices: string[];
  /** Whether most people do without. */
  isAdvanced: boolean;
}

/** GET `notebooks`: what a form for this notebook needs. */
export interface INotebook {
  /** From the server's root; the file's name without the ending. */
  path: string;
  /** From the server's root; the file's name without the ending. */
  name: string;
  /** From the server's root; the file's name without the ending. */
  kernel: string;
  /** From the server's root; the file's name without the ending. */
  language: string;
  /** Where it would run. */
  backend: string;
  /** In the order of the cell. */
  parameters: IParameter[];
  /** Whether it has a cell tagged `parameters`. */
  hasParameters: boolean;
  /** In the order of a form. */
  options: IOptionField[];
  /** What a user should know before, such as that the notebook's language has no parameters. */
  warnings: string[];
}

/** POST `notebooks`. */
export interface ISubmitNotebook {
  /** From the server's root. */
  path: string;
  /** Values by name (JSON). What is left out keeps its default. */
  parameters?: Record<string, unknown>;
  /** Values by name as a person types them: JSON or a Python literal, else text. */
  expressions?: Record<string, string>;
  /** A sweep: every combination runs once, all as one array. */
  grid?: Record<string, unknown[]>;
  /** By the magic's words: `{"vcpus": "2", "memory": "4G", "timeout": "2h", "spot": true}`; empty texts count as not given. */
  options?: Record<string, unknown>;
  /** Where the executed notebook is wanted, from the server's root; `{name}` and parameters as in `nbbatch.run_notebook`. Empty: the sidebar saves it beside its source when it is opened. */
  output?: string;
  /** Instead of the notebook's own. */
  kernel?: string;
}

/** A job that was accepted. */
export interface ISubmitted {
  /** As it is now. */
  job: IJobRow;
  /** Where it is. */
  backend: string;
  /** The Python lines that would have done the same. */
  code: string;
  /** Said on the way. */
  warnings: string[];
}

/** POST `estimate`: what a submission would cost; nothing is sent. */
export interface IAskEstimate {
  /** Notebook whose own options hold, too; may be empty. */
  path?: string;
  /** As in `SubmitNotebook`. */
  options?: Record<string, unknown>;
  /** Runs of a sweep. */
  items?: number;
  /** How long one run takes, also as typed (`20m`); null or empty: as earlier runs did. */
  seconds?: number | string | null;
}

/** Dollars on one kind of capacity. */
export interface IPriceRange {
  /** As in `nbbatch.estimate`; null where nobody knows, or nothing limits `worst`. */
  perHour: number | null;
  /** As in `nbbatch.estimate`; null where nobody knows, or nothing limits `worst`. */
  low: number | null;
  /** As in `nbbatch.estimate`; null where nobody knows, or nothing limits `worst`. */
  expected: number | null;
  /** As in `nbbatch.estimate`; null where nobody knows, or nothing limits `worst`. */
  high: number | null;
  /** As in `nbbatch.estimate`; null where nobody knows, or nothing limits `worst`. */
  worst: number | null;
}

/** What a submission would cost. */
export interface IEstimate {
  /** Where it would go. */
  queue: string;
  /** At the queue's price, and at each. */
  chosen: IPriceRange;
  /** At the queue's price, and at each. */
  onDemand: IPriceRange;
  /** At the queue's price, and at each. */
  spot: IPriceRange;
  /** Which of the two the queue has. */
  isSpot: boolean;
  /** Where the duration comes from. */
  basis: 'measured' | 'given' | 'unknown';
  /** The same in words; `words` is one line with all of it. */
  because: string;
  /** The same in words; `words` is one line with all of it. */
  worstBecause: string;
  /** The same in words; `words` is one line with all of it. */
  words: string;
}

/** Below the server's base address. */
export const PREFIX = 'nbbatch';

/** Every route: what it takes and gives; all of them also take `backend` and `folder`. */
export interface IRoutes {
  /** All configured backends. */
  'GET backends': { request: null; answer: IBackends; query: never };
  /** Start a local daemon that does not run; answers when it does. */
  'POST backends/start': { request: IStartBackend; answer: IBackendRow; query: never };
  /** The newest jobs first; an array is one row. */
  'GET jobs': { request: null; answer: IJobs; query: 'queue' | 'status' | 'text' | 'limit' | 'page' | 'since' };
  /** All about one job. */
  'GET jobs/{id}': { request: null; answer: IJobDetail; query: never };
  /** All children of an array, a digit each. */
  'GET jobs/{id}/children': { request: null; answer: IChildren; query: never };
  /** One child of an array. */
  'GET jobs/{id}/children/{index}': { request: null; answer: IJobDetail; query: never };
  /** A page of one attempt's log, by default its last lines. */
  'GET jobs/{id}/logs': { request: null; answer: ILogPage; query: 'page' | 'limit' | 'attempt' | 'head' | 'wait' };
  /** Ask that a job that waits does not start. */
  'POST jobs/{id}/cancel': { request: IReason; answer: IDone; query: never };
  /** Stop a job wherever it is. */
  'POST jobs/{id}/terminate': { request: IReason; answer: IDone; query: never };
  /** Submit the same again; of an array what failed. */
  'POST jobs/{id}/retry': { request: IRetry; answer: IDone; query: never };
  /** What a job has left: rich outputs, its error, a notebook's cells and values. */
  'GET jobs/{id}/outputs': { request: null; answer: IOutputs; query: 'item' };
  /** Save the executed notebook beside its source, never over another file. */
  'POST jobs/{id}/outputs': { request: ISaveNotebook; answer: ISavedNotebook; query: never };
  /** Python lines that find the job again in a notebook. */
  'GET jobs/{id}/code': { request: null; answer: ICode; query: never };
  /** Queues, what waits in them and why, and their hosts. */
  'GET queues': { request: null; answer: IQueues; query: never };
  /** What the last days cost; days are UTC. */
  'GET costs': { request: null; answer: ICosts; query: 'days' };
  /** Set the day's cap, or take it away. */
  'POST costs/budget': { request: ISetBudget; answer: IBudget; query: never };
  /** What a form needs to submit a notebook. */
  'GET notebooks': { request: null; answer: INotebook; query: 'path' };
  /** Submit a notebook, or a sweep of it. */
  'POST notebooks': { request: ISubmitNotebook; answer: ISubmitted; query: never };
  /** What a submission would cost; nothing is sent. */
  'POST estimate': { request: IAskEstimate; answer: IEstimate; query: never };
  /** What changed since a cursor; waits until something does. That no daemon runs is an answer, too. */
  'GET news': { request: null; answer: INews; query: 'cursor' | 'wait' | 'hidden' };
}

/** What a job looks like: its status, or how it failed. */
export type Look = Exclude<JobStatus, 'FAILED'> | Exclude<Outcome, 'succeeded' | 'children failed'>;

/** For people. */
export const LOOK_NAMES: Record<Look, string> = {
  SUBMITTED: 'SUBMITTED',
  PENDING: 'PENDING',
  RUNNABLE: 'RUNNABLE',
  STARTING: 'STARTING',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  exited: 'FAILED',
  'timed out': 'timed out',
  'out of memory': 'out of memory',
  cancelled: 'cancelled',
  terminated: 'terminated',
  'host lost': 'host lost',
  'dependency failed': 'dependency failed',
  'could not start': 'could not start'
};

/** Of marks, on light and dark grounds alike. */
export const COLOURS: Record<Look, string> = {
  SUBMITTED: '#7b6fb4',
  PENDING: '#5f6a7d',
  RUNNABLE: '#9294a7',
  STARTING: '#3a9be0',
  RUNNING: '#265cbf',
  SUCCEEDED: '#279e66',
  exited: '#c34108',
  'timed out': '#b37617',
  'out of memory': '#c8318d',
  cancelled: '#6a5e53',
  terminated: '#896e52',
  'host lost': '#b79000',
  'dependency failed': '#8766e0',
  'could not start': '#b03327'
};

/** CSS variables of style/colours.css; with `-text` behind them those of texts. */
export const LOOK_VARIABLES: Record<Look, string> = {
  SUBMITTED: '--nbbatch-submitted',
  PENDING: '--nbbatch-pending',
  RUNNABLE: '--nbbatch-runnable',
  STARTING: '--nbbatch-starting',
  RUNNING: '--nbbatch-running',
  SUCCEEDED: '--nbbatch-succeeded',
  exited: '--nbbatch-exited',
  'timed out': '--nbbatch-timed-out',
  'out of memory': '--nbbatch-out-of-memory',
  cancelled: '--nbbatch-cancelled',
  terminated: '--nbbatch-terminated',
  'host lost': '--nbbatch-host-lost',
  'dependency failed': '--nbbatch-dependency-failed',
  'could not start': '--nbbatch-could-not-start'
};
