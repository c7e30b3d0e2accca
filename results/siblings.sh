#!/bin/sh
# Makes the tables of the chapter on what parts siblings: siblings_NAME.nc beside this file, of ten parents each. Points
# that are in the folder `sweeps` are not executed again. From the root of the checkout, where `lmc` is found; all, or
# those named:
#
#     sh results/siblings.sh [NAME ...]
set -e

keep() { cp "sweeps/siblings_$1/results.nc" "results/siblings_$1.nc"; }

ten() {
    name=$1
    shift
    lmc sweep one_boundary --grid parents=10 "$@" --out "sweeps/siblings_$name"
}

noise() {
    ten noise --grid 'fork_epochs=[0,1,2,15]' --grid difference=noise --grid difference_size=0.000001,0.00001,0.0001,0.001,0.01,0.1
}
weight() {
    ten weight --grid 'fork_epochs=[0,1,2,15]' --grid difference=weight --grid difference_size=0.001,0.1
}
steps() {
    ten steps --grid 'fork_steps=[0,5,15,31,62,124,248,434,558,930]'
}
restart() {
    ten restart --grid 'fork_epochs=[0,1,2,5,10,15,30,40]' --grid schedule=constant --grid after_fork=restart
}
trained() {
    ten trained --grid 'fork_epochs=[40]' --grid after_fork=restart --grid restart_rate=0.1,0.2
}
constant() {
    ten constant --grid 'fork_epochs=[0,1,2,5,10,15,30]' --grid schedule=constant
}
decay() {
    ten decay --grid 'fork_epochs=[0,1,2,5,10,15,30]' --grid schedule=constant_then_decay --grid epochs=45
}
adamw() {
    ten adamw --grid 'fork_epochs=[0,1,2,5,10,15]' --grid optimizer=adamw --grid learning_rate=0.001,0.003,0.01 --grid weight_decay=0.01
}
# The ratio of learning rate and batch size is varied at a fixed number of steps, and at a fixed product of learning rate
# and number of steps; forks are at the same fractions of each run.
fixed_steps() {
    lmc sweep one_boundary --points results/siblings_fixed_steps.yml --out sweeps/siblings_fixed_steps
}
fixed_time() {
    lmc sweep one_boundary --points results/siblings_fixed_time.yml --out sweeps/siblings_fixed_time
}
# Activation functions without a kink.
smooth_noise() {
    ten smooth_noise --grid 'fork_epochs=[0,1,2,15]' --grid difference=noise --grid activation=gelu,tanh --grid difference_size=0.000001,0.01
}
smooth_order() {
    ten smooth_order --grid 'fork_epochs=[0,1,2,15]' --grid activation=gelu,tanh
}

for name in ${@:-noise weight steps restart trained constant decay adamw fixed_steps fixed_time smooth_noise smooth_order}; do
    "$name"
    keep "$name"
done
