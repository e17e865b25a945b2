import type { Cast } from '../cast.ts';
import type { Evidence } from '../evidence.ts';

/** A kind of alert: what is the same in all of them, and how the rest follows from the cast. */
export interface Template {
  /** `productName`. */
  readonly product: string;
  readonly serviceSource: string;
  readonly detectionSource: string;
  /** Two letters in front of `providerAlertId`, which tell the product. */
  readonly idPrefix: string;
  /** How the product numbers its alerts. */
  readonly providerId: 'ticks' | 'guid' | 'hex24' | 'hex64';
  readonly detectorId: string;
  readonly category: string;
  readonly severity: 'informational' | 'low' | 'medium' | 'high';
  readonly mitreTechniques: readonly string[];
  readonly title: (cast: Cast) => string;
  readonly description: (cast: Cast) => string;
  readonly evidence: (cast: Cast) => readonly Evidence[];
  /** Further properties of the alert, or others in the place of what it has by default. */
  readonly more?: (cast: Cast) => object;
}

/** What the templates of one product share. */
export type Product = Pick<
  Template,
  'product' | 'serviceSource' | 'detectionSource' | 'idPrefix' | 'providerId'
>;
