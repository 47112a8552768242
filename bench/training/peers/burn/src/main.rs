//! Burn on its flex backend with straight-through quantizers, driven as `turns.py` says.

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Distribution, Int, Tensor, TensorData, activation};
use rustix::time::{ClockId, clock_gettime};

const SIZES: [usize; 5] = [16, 64, 32, 32, 5];

/// `quantized_bits(6,0,alpha=1)`.
fn weights6<B: Backend, const D: usize>(w: Tensor<B, D>) -> Tensor<B, D> {
    let quantized = (w.clone() * 32.).round().clamp(-32, 31) * (1. / 32.);
    w.clone() + (quantized - w).detach()
}

/// `quantized_relu(6)`.
fn relu6<B: Backend, const D: usize>(z: Tensor<B, D>) -> Tensor<B, D> {
    let clipped = z.clamp(0., 63. / 64.);
    let quantized = (clipped.clone() * 64.).round() * (1. / 64.);
    clipped.clone() + (quantized - clipped).detach()
}

#[derive(Module, Debug)]
struct Network<B: Backend> {
    kernels: Vec<Param<Tensor<B, 2>>>,
    biases: Vec<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Network<B> {
    fn new(device: &B::Device) -> Self {
        let kernel = |at: usize| {
            let reach = (6. / (SIZES[at] + SIZES[at + 1]) as f64).sqrt();
            let shape = [SIZES[at], SIZES[at + 1]];
            Param::from_tensor(Tensor::random(shape, Distribution::Uniform(-reach, reach), device))
        };
        let bias = |at: usize| Param::from_tensor(Tensor::zeros([SIZES[at + 1]], device));
        Self {
            kernels: (0..4).map(kernel).collect(),
            biases: (0..4).map(bias).collect(),
        }
    }

    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let mut hidden = x;
        for at in 0..4 {
            let kernel = weights6(self.kernels[at].val());
            let bias = weights6(self.biases[at].val());
            hidden = hidden.matmul(kernel) + bias.unsqueeze::<2>();
            if at < 3 {
                hidden = relu6(hidden);
            }
        }
        hidden
    }
}

struct Rows {
    x: Vec<f32>,
    y: Vec<u8>,
}

impl Rows {
    fn read(folder: &str, name: &str) -> Self {
        let bytes = std::fs::read(format!("{folder}/x{name}.f32")).expect("rows");
        let words = bytes.chunks_exact(4);
        let x = words.map(|word| f32::from_le_bytes(word.try_into().expect("four"))).collect();
        let y = std::fs::read(format!("{folder}/y{name}.u8")).expect("classes");
        Self { x, y }
    }
}

/// CPU seconds of all threads of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn run<B: AutodiffBackend>(folder: &str)
where
    B::Device: Default,
{
    let device = B::Device::default();
    let (train, check) = (Rows::read(folder, "tr"), Rows::read(folder, "te"));
    let count = train.y.len();
    let mut network = Network::<B>::new(&device);
    let mut adam = AdamConfig::new().init::<B, Network<B>>();
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut epoch = |network: &mut Network<B>| {
        let before = cpu_seconds();
        let mut order: Vec<u32> = (0..count as u32).collect();
        for i in (1..count).rev() {
            order.swap(i, (draw() % (i as u64 + 1)) as usize);
        }
        for batch in order.chunks(1024) {
            let mut x = Vec::with_capacity(batch.len() * 16);
            let mut y = Vec::with_capacity(batch.len());
            for &row in batch {
                x.extend_from_slice(&train.x[row as usize * 16..][..16]);
                y.push(i64::from(train.y[row as usize]));
            }
            let x = Tensor::<B, 2>::from_data(TensorData::new(x, [batch.len(), 16]), &device);
            let y = Tensor::<B, 1, Int>::from_data(TensorData::new(y, [batch.len()]), &device);
            let logarithms = activation::log_softmax(network.forward(x), 1);
            let loss = logarithms.gather(1, y.unsqueeze_dim(1)).mean().neg();
            let gradients = GradientsParams::from_grads(loss.backward(), network);
            *network = adam.step(1e-3, network.clone(), gradients);
        }
        cpu_seconds() - before
    };
    let first = epoch(&mut network);
    println!("{{\"first_epoch_s\": {first}, \"versions\": {{\"burn\": \"0.21.0\"}}}}");
    for line in std::io::stdin().lines() {
        let turns: u32 = line.expect("a line").trim().parse().expect("a count of epochs");
        let seconds: Vec<f64> = (0..turns).map(|_| epoch(&mut network)).collect();
        println!("{{\"seconds\": {seconds:?}}}");
    }
    let x = Tensor::<B, 2>::from_data(TensorData::new(check.x, [check.y.len(), 16]), &device);
    let classes = network.forward(x).argmax(1).into_data().convert::<i64>();
    let classes: Vec<i64> = classes.to_vec().expect("classes");
    let right = classes.iter().zip(&check.y).filter(|(a, b)| **a == i64::from(**b)).count();
    println!("{{\"accuracy\": {}}}", right as f64 / check.y.len() as f64);
}

fn main() {
    let folder = std::env::args().nth(1).expect("a folder of rows");
    run::<Autodiff<Flex>>(&folder);
}
