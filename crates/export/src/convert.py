"""Makes an hls4ml project of the network beside this file.

    pip install hls4ml==1.3.0 qonnx==1.0.0
    python convert.py [--output-dir DIR] [--build]

Settings stand in hls4ml.json. The model's input has the precision of `Model`: give it inputs that lie
on the input grid, and the answers are the network's, bit for bit. --build runs the vendor's tool.
"""
import argparse
import json
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))


def convert(output_dir):
    import hls4ml
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    with open(os.path.join(FOLDER, "hls4ml.json")) as file:
        settings = json.load(file)
    model = cleanup_model(ModelWrapper(os.path.join(FOLDER, "network.qonnx.onnx")))
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", default=os.path.join(FOLDER, "project"))
    parser.add_argument("--build", action="store_true", help="run the vendor's synthesis")
    arguments = parser.parse_args()
    model = convert(arguments.output_dir)
    model.write()
    if arguments.build:
        model.build(csim=False)
    print(arguments.output_dir)


if __name__ == "__main__":
    main()
