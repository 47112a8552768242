//! How a search says that candidates are trained, in the engine's words.

use bitfront_search::search::{
    Averaging, ClassWeights, Loss, OptimizerName, PruneBy, Pruning, PruningSchedule, Schedule,
    Training,
};
use bitfront_training::Recipe;

/// The search's recipe in the engine's words, for so many train rows.
pub(super) fn recipe(training: &Training, train_rows: usize) -> Recipe {
    use bitfront_training as engine;
    Recipe {
        epochs: training.epochs,
        batch_size: training.batch_size as usize,
        learning_rate: training.optimizer.learning_rate as f32,
        schedule: match training.optimizer.schedule {
            Schedule::Constant => engine::Schedule::Constant,
            Schedule::Cosine => engine::Schedule::Cosine,
            Schedule::Step(step) => engine::Schedule::Step {
                every: step.every,
                factor: step.factor as f32,
            },
            Schedule::WarmCosine(warm) => engine::Schedule::WarmCosine {
                warmup_steps: warm.warmup_steps,
                floor: warm.floor as f32,
            },
            Schedule::Plateau(plateau) => engine::Schedule::Plateau(engine::Plateau {
                factor: plateau.factor as f32,
                patience: plateau.patience,
                min_delta: plateau.min_delta as f32,
                cooldown: plateau.cooldown,
                min_rate: plateau.min_rate as f32,
            }),
        },
        optimizer: match training.optimizer.name {
            OptimizerName::Adam => engine::Optimizer::Adam,
            OptimizerName::AdamW { weight_decay } => engine::Optimizer::AdamW {
                weight_decay: weight_decay as f32,
            },
            OptimizerName::Sgd { momentum, nesterov } => engine::Optimizer::Sgd {
                momentum: momentum as f32,
                nesterov,
            },
        },
        clip_norm: training.clip_norm.map(|norm| norm as f32),
        l1: training.l1 as f32,
        l2: training.l2 as f32,
        loss: Some(match training.loss {
            Loss::SoftmaxCrossEntropy => engine::LossFunction::SoftmaxCrossEntropy,
            Loss::BinaryCrossEntropy => engine::LossFunction::BinaryCrossEntropy,
            Loss::MeanSquaredError => engine::LossFunction::MeanSquaredError,
            Loss::MeanAbsoluteError => engine::LossFunction::MeanAbsoluteError,
        }),
        early_stopping: training
            .early_stopping
            .map(|stopping| engine::EarlyStopping {
                patience: stopping.patience,
                min_delta: stopping.min_delta as f32,
            }),
        best_epoch: training.best_epoch,
        label_smoothing: training.label_smoothing as f32,
        class_weights: training
            .class_weights
            .as_ref()
            .map(|weights| match weights {
                ClassWeights::Balanced => engine::ClassWeights::Balanced,
                ClassWeights::Each(weights) => {
                    engine::ClassWeights::Each(weights.iter().map(|w| *w as f32).collect())
                }
            }),
        distillation: training
            .distillation
            .map(|distillation| engine::Distillation {
                temperature: distillation.temperature as f32,
                weight: distillation.weight as f32,
            }),
        averaging: training.averaging.map(|averaging| match averaging {
            Averaging::Ema(average) => engine::Averaging::Ema {
                decay: average.decay as f32,
            },
            Averaging::Swa(mean) => engine::Averaging::Swa {
                start_epoch: mean.start_epoch,
            },
        }),
        pruning: training.pruning.map(|pruning| {
            let epoch_steps = train_rows.div_ceil(training.batch_size as usize) as u64;
            engine_pruning(&pruning, epoch_steps)
        }),
    }
}

/// A schedule over epochs as one over steps: from an epoch's first step, to an epoch's last one.
fn engine_pruning(pruning: &Pruning, epoch_steps: u64) -> bitfront_training::Pruning {
    use bitfront_training as engine;
    let first = |epoch: u32| u64::from(epoch - 1) * epoch_steps;
    let schedule = match pruning.schedule {
        PruningSchedule::Constant(constant) => engine::Sparsity::Constant {
            sparsity: constant.sparsity,
            begin_step: constant.begin_epoch.map_or(0, first),
        },
        PruningSchedule::Polynomial(polynomial) => engine::Sparsity::Polynomial {
            initial_sparsity: polynomial.initial_sparsity,
            final_sparsity: polynomial.final_sparsity,
            begin_step: first(polynomial.begin_epoch),
            end_step: (u64::from(polynomial.end_epoch) * epoch_steps).saturating_sub(1),
            power: polynomial.power,
            frequency: polynomial.frequency.into(),
        },
    };
    let by = match pruning.by {
        PruneBy::Weight => engine::PruneBy::Weight,
        PruneBy::InputChannel => engine::PruneBy::InputChannel,
        PruneBy::OutputChannel => engine::PruneBy::OutputChannel,
    };
    engine::Pruning { schedule, by }
}

#[cfg(test)]
mod tests {
    use bitfront_search::search;

    use super::*;

    fn training() -> Training {
        Training {
            epochs: 3,
            batch_size: 64,
            optimizer: search::Optimizer {
                name: OptimizerName::Adam,
                learning_rate: 0.5,
                schedule: Schedule::Cosine,
            },
            loss: Loss::SoftmaxCrossEntropy,
            repeats: 1,
            clip_norm: None,
            l1: 0.0,
            l2: 0.0,
            early_stopping: None,
            best_epoch: false,
            label_smoothing: 0.0,
            class_weights: None,
            averaging: None,
            pruning: None,
            distillation: None,
        }
    }

    #[test]
    fn every_option_of_a_search_reaches_the_engine() {
        let plain = Recipe {
            epochs: 3,
            batch_size: 64,
            learning_rate: 0.5,
            loss: Some(bitfront_training::LossFunction::SoftmaxCrossEntropy),
            ..Recipe::default()
        };
        assert_eq!(recipe(&training(), 1000), plain);
        for (loss, name) in [
            (Loss::BinaryCrossEntropy, "binary_cross_entropy"),
            (Loss::MeanSquaredError, "mean_squared_error"),
            (Loss::MeanAbsoluteError, "mean_absolute_error"),
        ] {
            let other = Training { loss, ..training() };
            let engine = recipe(&other, 1000).loss.expect("a loss");
            assert_eq!((engine.name(), loss.name()), (name, name));
            assert!(engine.suits(loss.head()));
        }
        let full = Training {
            clip_norm: Some(0.75),
            l1: 0.25,
            l2: 0.5,
            early_stopping: Some(search::EarlyStopping {
                patience: 4,
                min_delta: 0.125,
            }),
            best_epoch: true,
            label_smoothing: 0.0625,
            class_weights: Some(ClassWeights::Each(vec![0.5, 2.0])),
            averaging: Some(Averaging::Swa(search::LateMean { start_epoch: 2 })),
            pruning: Some(Pruning {
                schedule: PruningSchedule::Polynomial(search::PolynomialSparsity {
                    initial_sparsity: 0.125,
                    final_sparsity: 0.75,
                    begin_epoch: 2,
                    end_epoch: 3,
                    power: 2.0,
                    frequency: 5,
                }),
                by: PruneBy::OutputChannel,
            }),
            ..training()
        };
        let expected = Recipe {
            clip_norm: Some(0.75),
            l1: 0.25,
            l2: 0.5,
            early_stopping: Some(bitfront_training::EarlyStopping {
                patience: 4,
                min_delta: 0.125,
            }),
            best_epoch: true,
            label_smoothing: 0.0625,
            class_weights: Some(bitfront_training::ClassWeights::Each(vec![0.5, 2.0])),
            averaging: Some(bitfront_training::Averaging::Swa { start_epoch: 2 }),
            // 1000 rows are 16 batches of 64.
            pruning: Some(bitfront_training::Pruning {
                schedule: bitfront_training::Sparsity::Polynomial {
                    initial_sparsity: 0.125,
                    final_sparsity: 0.75,
                    begin_step: 16,
                    end_step: 47,
                    power: 2.0,
                    frequency: 5,
                },
                by: bitfront_training::PruneBy::OutputChannel,
            }),
            ..plain
        };
        assert_eq!(recipe(&full, 1000), expected);
        let other = Training {
            class_weights: Some(ClassWeights::Balanced),
            averaging: Some(Averaging::Ema(search::MovingAverage { decay: 0.75 })),
            distillation: Some(search::Distillation {
                weight: 0.25,
                temperature: 4.0,
                widen: 2,
            }),
            pruning: Some(Pruning {
                schedule: PruningSchedule::Constant(search::ConstantSparsity {
                    sparsity: 0.5,
                    begin_epoch: Some(3),
                }),
                by: PruneBy::InputChannel,
            }),
            ..training()
        };
        let expected = Recipe {
            class_weights: Some(bitfront_training::ClassWeights::Balanced),
            averaging: Some(bitfront_training::Averaging::Ema { decay: 0.75 }),
            distillation: Some(bitfront_training::Distillation {
                weight: 0.25,
                temperature: 4.0,
            }),
            pruning: Some(bitfront_training::Pruning {
                schedule: bitfront_training::Sparsity::Constant {
                    sparsity: 0.5,
                    begin_step: 32,
                },
                by: bitfront_training::PruneBy::InputChannel,
            }),
            epochs: 3,
            batch_size: 64,
            learning_rate: 0.5,
            loss: plain.loss,
            ..Recipe::default()
        };
        assert_eq!(recipe(&other, 1000), expected);
    }

    #[test]
    fn every_optimizer_and_schedule_has_its_own_numbers() {
        use bitfront_training as engine;
        let of = |name, schedule| {
            let optimizer = search::Optimizer {
                name,
                learning_rate: 0.5,
                schedule,
            };
            let recipe = recipe(
                &Training {
                    optimizer,
                    ..training()
                },
                1000,
            );
            (recipe.optimizer, recipe.schedule)
        };
        let sgd = OptimizerName::Sgd {
            momentum: 0.75,
            nesterov: true,
        };
        let step = search::StepDecay {
            every: 3,
            factor: 0.25,
        };
        assert_eq!(
            of(sgd, Schedule::Step(step)),
            (
                engine::Optimizer::Sgd {
                    momentum: 0.75,
                    nesterov: true
                },
                engine::Schedule::Step {
                    every: 3,
                    factor: 0.25
                }
            )
        );
        let adam_w = OptimizerName::AdamW {
            weight_decay: 0.125,
        };
        let warm = search::WarmCosine {
            warmup_steps: 7,
            floor: 0.0625,
        };
        assert_eq!(
            of(adam_w, Schedule::WarmCosine(warm)),
            (
                engine::Optimizer::AdamW {
                    weight_decay: 0.125
                },
                engine::Schedule::WarmCosine {
                    warmup_steps: 7,
                    floor: 0.0625
                }
            )
        );
        let plateau = search::Plateau {
            factor: 0.5,
            patience: 4,
            min_delta: 0.25,
            cooldown: 2,
            min_rate: 0.125,
        };
        assert_eq!(
            of(OptimizerName::Adam, Schedule::Plateau(plateau)),
            (
                engine::Optimizer::Adam,
                engine::Schedule::Plateau(engine::Plateau {
                    factor: 0.5,
                    patience: 4,
                    min_delta: 0.25,
                    cooldown: 2,
                    min_rate: 0.125
                })
            )
        );
        assert_eq!(
            of(OptimizerName::Adam, Schedule::Constant).1,
            engine::Schedule::Constant
        );
    }
}
