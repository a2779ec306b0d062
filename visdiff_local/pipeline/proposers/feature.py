"""BLIP-2 puts the difference of two mean vision features into words."""

from collections.abc import Sequence

from visdiff_local.pipeline.proposers.base import Asking, Proposals, turns
from visdiff_local.pipeline.proposers.sampling import Sample
from visdiff_local.prompts.replies import phrase
from visdiff_local.protocols import FeatureProposer
from visdiff_local.types import Hypothesis, Provenance


def from_features(
    samples: Sequence[Sample], proposer: FeatureProposer, asking: Asking
) -> Proposals:
    """BLIP-2 puts the difference of the sets' mean vision features into words (the paper, 4.1)."""
    results = Proposals()
    for direction, number, sample in turns(samples, asking.directions):
        texts = proposer.describe_difference(
            sample.a, sample.b, samples=asking.concepts, seed=asking.seed + number
        )
        provenance = Provenance("feature", number)
        kept = [(text, phrase(text)) for text in texts]
        results += Proposals(
            tuple(Hypothesis(clean, direction, provenance) for _, clean in kept if clean),
            tuple(text for text, clean in kept if not clean),
        )
    return results
