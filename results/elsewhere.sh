#!/bin/sh
# Makes the tables of the chapter on whether it holds elsewhere: elsewhere_RECIPE_DATA.nc beside this file. Points that
# are in the folder `sweeps` are not executed again. From the root of the checkout, where `lmc` is found; all, or those
# named:
#
#     sh results/elsewhere.sh [RECIPE DATA | smoke]
#
# Learning rates were chosen before, by the training error of one parent of another seed (1000).
set -e

keep() { cp "sweeps/elsewhere_$1/results.nc" "results/elsewhere_$1.nc"; }

mlps="mlp_relu mlp_gelu mlp_deep mlp_adamw mlp_wide"
others="cnn resnet8_batch resnet8_group"

known() {
    for each in $2; do [ "$each" != "$1" ] || return 0; done
    echo "elsewhere.sh: unknown argument: '$1' (choose from $2)" >&2
    exit 2
}

measure() {
    known "$1" "$mlps $others mlp_random_labels"
    known "$2" "mnist1d digits fashion_mnist"
    recipe=$1 data=$2 samples=4000 rate=0.1 parents=10
    case $recipe in cnn | resnet*) parents=5 samples=2000 ;; esac
    case $recipe-$data in
        mlp_adamw-*) rate=0.01 ;;
        mlp*-fashion_mnist | mlp_deep-digits) rate=0.03 ;;  # one of ten deep parents diverges at 0.1 on the digits
        cnn-*) rate=0.07 ;;
        resnet8*-fashion_mnist) rate=0.2 ;;
        resnet8*) rate=0.4 ;;
    esac
    case $data in digits) samples=1400 ;; esac
    channels=8
    case $recipe-$data in resnet8*-fashion_mnist) samples=1000 channels=4 ;; esac  # else it takes hours
    set --
    case $recipe-$data in resnet8*-fashion_mnist) set -- --timeout 7200 --grid derivative_samples=250 ;; esac
    set -- "$@" --grid "dataset=$data" --grid "train_samples=$samples" --grid "parents=$parents" --grid "learning_rate=$rate"
    case $recipe in
        mlp_random_labels) set -- "$@" --grid labels=random ;;
        mlp_gelu) set -- "$@" --grid activation=gelu ;;
        mlp_deep) set -- "$@" --grid 'widths=[64,64,64,64,64,64]' ;;
        mlp_wide) set -- "$@" --grid 'widths=[256,256,256]' ;;
        mlp_adamw) set -- "$@" --grid optimizer=adamw --grid weight_decay=0.01 ;;
        cnn) set -- "$@" --grid architecture=cnn --grid 'widths=[16,16,16]' ;;
        resnet8_*)
            set -- "$@" --grid architecture=resnet8 --grid "widths=[$channels]" --grid "norm=${recipe#resnet8_}" \
                --grid epochs=24 --grid 'fork_epochs=[0,1,9]' --grid keep=3
            ;;
    esac
    lmc sweep one_recipe --jobs 1 "$@" --out "sweeps/elsewhere_${recipe}_$data"
    keep "${recipe}_$data"
}

# A row that the tests make again.
smoke() {
    lmc sweep one_recipe --jobs 1 --preset smoke --grid parents=4 --out sweeps/elsewhere_smoke
    keep smoke
}

if [ $# -gt 0 ]; then
    if [ "$1" = smoke ]; then smoke; else measure "$1" "${2-}"; fi
else
    smoke
    measure mlp_random_labels mnist1d
    for data in mnist1d digits fashion_mnist; do
        for recipe in $mlps $others; do
            measure "$recipe" "$data"
        done
    done
fi
