"""Every experiment of the series: a name, a question, and variants that swap a part from outside."""

from dataclasses import replace

from gptlib.instruments.catalogue import attention, transformer

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        replace(transformer.LADDER, variants=dict(list(transformer.LADDER.variants.items())[:6])),
        attention.TWO_OF_QKV,
        attention.MASK_AT_TEST,
        attention.NO_MASK,
        attention.SCALING,
        attention.HEADS,
    )
}
