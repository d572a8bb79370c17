"""Every experiment of the series: a name, a question, and variants that swap a part from outside."""

from gptlib.instruments.measure.catalogue import attention, modern, practice, speedrun, transformer

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        transformer.LADDER,
        attention.TWO_OF_QKV,
        attention.MASK_AT_TEST,
        attention.NO_MASK,
        attention.SCALING,
        attention.HEADS,
        transformer.LM_HEAD,
        transformer.RESIDUAL,
        transformer.NORM,
        transformer.POSITION,
        transformer.DROPOUT,
        practice.DROPOUT_SIZE,
        practice.CONTEXT,
        practice.VOCABULARY,
        practice.TIED,
        practice.BATCH,
        modern.PARTS,
        speedrun.SPEEDRUN,
        speedrun.STEPS_TO_GOAL,
    )
}
