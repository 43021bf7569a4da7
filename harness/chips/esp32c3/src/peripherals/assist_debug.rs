//! Debug assistant, ASSIST_DEBUG (TRM chapter 17).
//!
//! Storage: the stack and area monitors never fire, and the program counter is not recorded.

use crate::registers::{Register, tagged};

pub(crate) const REGISTERS: &[Register] = &[
    tagged(0x000, "MONTR_ENA", 0, 0xFFF),
    tagged(0x004, "INTR_RAW", 0, 0),
    tagged(0x008, "INTR_ENA", 0, 0xFFF),
    tagged(0x00C, "INTR_CLR", 0, 0xFFF),
    tagged(0x010, "AREA_DRAM0_0_MIN", 0xFFFF_FFFF, 0xFFFF_FFFF),
    tagged(0x014, "AREA_DRAM0_0_MAX", 0, 0xFFFF_FFFF),
    tagged(0x018, "AREA_DRAM0_1_MIN", 0xFFFF_FFFF, 0xFFFF_FFFF),
    tagged(0x01C, "AREA_DRAM0_1_MAX", 0, 0xFFFF_FFFF),
    tagged(0x020, "AREA_PIF_0_MIN", 0xFFFF_FFFF, 0xFFFF_FFFF),
    tagged(0x024, "AREA_PIF_0_MAX", 0, 0xFFFF_FFFF),
    tagged(0x028, "AREA_PIF_1_MIN", 0xFFFF_FFFF, 0xFFFF_FFFF),
    tagged(0x02C, "AREA_PIF_1_MAX", 0, 0xFFFF_FFFF),
    tagged(0x030, "AREA_PC", 0, 0),
    tagged(0x034, "AREA_SP", 0, 0),
    tagged(0x038, "SP_MIN", 0, 0xFFFF_FFFF),
    tagged(0x03C, "SP_MAX", 0xFFFF_FFFF, 0xFFFF_FFFF),
    tagged(0x040, "SP_PC", 0, 0),
    tagged(0x044, "RCD_EN", 0, 0x3),
    tagged(0x048, "RCD_PDEBUGPC", 0, 0),
    tagged(0x04C, "RCD_PDEBUGSP", 0, 0),
    tagged(0x050, "IRAM0_EXCEPTION_MONITOR_0", 0, 0),
    tagged(0x054, "IRAM0_EXCEPTION_MONITOR_1", 0, 0),
    tagged(0x058, "DRAM0_EXCEPTION_MONITOR_0", 0, 0),
    tagged(0x05C, "DRAM0_EXCEPTION_MONITOR_1", 0, 0),
    tagged(0x060, "DRAM0_EXCEPTION_MONITOR_2", 0, 0),
    tagged(0x064, "DRAM0_EXCEPTION_MONITOR_3", 0, 0),
    tagged(0x070, "LOG_SETTING", 0x80, 0xFF),
    tagged(0x074, "LOG_DATA_0", 0, 0xFFFF_FFFF),
    tagged(0x078, "LOG_DATA_MASK", 0, 0xFFFF),
    tagged(0x07C, "LOG_MIN", 0, 0xFFFF_FFFF),
    tagged(0x080, "LOG_MAX", 0, 0xFFFF_FFFF),
    tagged(0x084, "LOG_MEM_START", 0, 0xFFFF_FFFF),
    tagged(0x088, "LOG_MEM_END", 0, 0xFFFF_FFFF),
    tagged(0x08C, "LOG_MEM_WRITING_ADDR", 0, 0),
    tagged(0x090, "LOG_MEM_FULL_FLAG", 0, 0x2),
    tagged(0x094, "LASTPC_BEFORE_EXCEPTION", 0, 0),
    tagged(0x098, "DEBUG_MODE", 0, 0),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::RegisterFile;

    #[test]
    fn areas_reset_to_empty() {
        let file = RegisterFile::new(REGISTERS);
        assert_eq!(file.read(0x010), Some(0xFFFF_FFFF));
        assert_eq!(file.read(0x014), Some(0));
    }
}
