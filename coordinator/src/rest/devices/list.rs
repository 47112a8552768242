//! Lists the devices that a search file may name.

use crate::problem::{Problem, ProblemBody};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use bitfront_hardware::device::KnownDevice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device that a search file may name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Device)]
pub struct KnownDeviceView {
    /// Its name in search files; a vendor's longer name (`xcvu9p-flgb2104-2-i`) means it too.
    #[schema(example = "xcvu9p")]
    pub part: String,
    /// Its family.
    #[schema(example = "Virtex UltraScale+")]
    pub family: String,
    /// The full name that a vendor's tool is given where a search says no more.
    pub tool_part: Option<String>,
    /// Speed grade of `tool_part`.
    pub speed: Option<String>,
    /// Look-up tables of six inputs.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// DSP blocks; absent where it has none.
    pub dsp: Option<u64>,
    /// Block RAMs of 36 Kb; absent where it has none.
    pub bram: Option<u64>,
    /// `UltraRAM` blocks of 288 Kb; absent where it has none.
    pub uram: Option<u64>,
    /// Where the figures are from.
    pub source: String,
}

/// The devices, in the order of their tables.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeviceList {
    /// The devices.
    pub items: Vec<KnownDeviceView>,
}

impl From<&KnownDevice> for KnownDeviceView {
    fn from(device: &KnownDevice) -> Self {
        let device = device.clone();
        Self {
            part: device.part,
            family: device.family,
            tool_part: device.tool_part,
            speed: device.speed,
            lut: device.resources.lut,
            ff: device.resources.ff,
            dsp: device.resources.dsp,
            bram: device.resources.bram,
            uram: device.resources.uram,
            source: device.source,
        }
    }
}

/// Lists the devices that a search file may name without saying what they hold.
#[utoipa::path(get, path = "/devices", tag = "devices", operation_id = "list_devices", responses((status = 200, description = "The devices", body = DeviceList), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(Shared(state): Shared<State>) -> Result<Json<DeviceList>, Problem> {
    let items = state.config.devices.all().iter().map(Into::into).collect();
    Ok(Json(DeviceList { items }))
}
