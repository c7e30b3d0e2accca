#!/bin/sh
# Makes the tables of the chapter on when stability begins: stability_NAME.nc beside this file. Points that are in the
# folder `sweeps` are not executed again. From the root of the checkout, where `lmc` is found; all, or those named:
#
#     sh results/stability.sh [NAME ...]
set -e

keep() { cp "sweeps/$1/results.nc" "results/stability_$1.nc"; }

learning_rate() {
    lmc sweep one_boundary --grid learning_rate=0.0125,0.025,0.05,0.1,0.2,0.4 --grid seed=0:5 --out sweeps/learning_rate
}
train_samples() {
    lmc sweep one_boundary --grid train_samples=250,500,1000,2000,4000 --grid seed=0:5 --out sweeps/train_samples
}
batch_size() {
    lmc sweep one_boundary --grid batch_size=16,32,64,128,256 --grid seed=0:5 --out sweeps/batch_size
}
weight_decay() {
    lmc sweep one_boundary --grid weight_decay=0.0,0.0003,0.001,0.003,0.01 --grid seed=0:5 --out sweeps/weight_decay
}
depth() {
    lmc sweep one_boundary --grid 'widths=[64],[64,64],[64,64,64],[64,64,64,64],[64,64,64,64,64,64]' --grid seed=0:5 --out sweeps/depth
}
width() {
    lmc sweep one_boundary --grid 'widths=[16,16,16],[32,32,32],[64,64,64],[128,128,128],[256,256,256]' --grid seed=0:5 --out sweeps/width
}
resnet8_learning_rate() {
    lmc sweep one_boundary --grid architecture=resnet8 --grid norm=batch --grid 'widths=[8]' --grid train_samples=2000 --grid epochs=20 --grid 'fork_epochs=[0,1,2,3,4,6,8,12,20]' --grid learning_rate=0.05,0.1,0.2,0.4,0.8 --grid seed=0:5 --out sweeps/resnet8_learning_rate
}
resnet8_batch_size() {
    lmc sweep one_boundary --grid architecture=resnet8 --grid norm=batch --grid 'widths=[8]' --grid train_samples=2000 --grid epochs=20 --grid learning_rate=0.4 --grid 'fork_epochs=[0,1,2,3,4,6,8,12,20]' --grid batch_size=64,128,256 --grid seed=0:5 --out sweeps/resnet8_batch_size
}

for name in ${@:-learning_rate train_samples batch_size weight_decay depth width resnet8_learning_rate resnet8_batch_size}; do
    "$name"
    keep "$name"
done
