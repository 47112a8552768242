"""Makes an hls4ml project of the network beside this file.

    pip install hls4ml==1.3.0 qonnx==1.0.0
    python convert.py [--output-dir DIR] [--emulate INPUTS OUTPUTS] [--build]

Settings stand in hls4ml.json. The model's input has the precision of `Model`: give it inputs that lie
on the input grid, and the answers are the network's, bit for bit. --emulate compiles the project with
g++ and runs rows of float32 from a file of nothing else. --build runs the vendor's tool.
"""
import argparse
import json
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))


def convert(output_dir):
    import hls4ml
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.gemm_to_matmul import GemmToMatMul
    from qonnx.util.cleanup import cleanup_model

    with open(os.path.join(FOLDER, "hls4ml.json")) as file:
        settings = json.load(file)
    model = cleanup_model(ModelWrapper(os.path.join(FOLDER, "network.qonnx.onnx")))
    if len(model.get_tensor_shape(model.graph.input[0].name)) > 2:
        # hls4ml reads images by position, all channels of a position side by side.
        model = model.transform(ConvertToChannelsLastAndClean()).transform(GemmToMatMul())
        give_biases(model)
        model = cleanup_model(model)
    config = hls4ml.utils.config_from_onnx_model(
        model, granularity="name", backend=settings["Backend"], default_precision=settings["Model"]["Precision"]
    )
    config["Model"].update(settings["Model"])
    return hls4ml.converters.convert_from_onnx_model(
        model,
        hls_config=config,
        output_dir=output_dir,
        backend=settings["Backend"],
        io_type=settings["IOType"],
        part=settings["Part"],
        clock_period=settings["ClockPeriod"],
    )


def give_biases(model):
    """Makes the bias behind a convolution, an Add of [1, 1, 1, C], its third input of [C], which hls4ml reads as one."""
    for convolution in model.get_nodes_by_op_type("Conv"):
        (add,) = model.find_consumers(convolution.output[0]) or (None,)
        if add is None or add.op_type != "Add":
            continue
        bias = next(name for name in add.input if name != convolution.output[0])
        quant = model.find_producer(bias)
        values = model.get_initializer(quant.input[0] if quant else bias)
        if values is None or values.size != values.shape[-1]:
            continue
        model.set_initializer(quant.input[0] if quant else bias, values.reshape(-1))
        model.set_tensor_shape(bias, [values.size])
        convolution.input.append(bias)
        convolution.output[0] = add.output[0]
        model.graph.node.remove(add)


def emulate(model, inputs, outputs):
    import numpy as np

    model.compile()
    shape = next(iter(model.get_input_variables())).shape
    rows = np.fromfile(inputs, "<f4").reshape(-1, *shape)
    np.asarray(model.predict(rows), "<f4").tofile(outputs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", default=os.path.join(FOLDER, "project"))
    parser.add_argument("--emulate", nargs=2, metavar=("INPUTS", "OUTPUTS"), help="run rows of little-endian float32 through the compiled C++")
    parser.add_argument("--build", action="store_true", help="run the vendor's synthesis")
    arguments = parser.parse_args()
    model = convert(arguments.output_dir)
    if arguments.emulate:
        emulate(model, *arguments.emulate)
    else:
        model.write()
    if arguments.build:
        model.build(csim=False)
    print(arguments.output_dir)


if __name__ == "__main__":
    main()
