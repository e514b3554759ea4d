//! Columns to values and back.

use alloy_primitives::{Address, B256, Bytes};
use domain::{Permissions, Status};
use sqlx::{Decode, Postgres, Row, Type, postgres::PgRow};

use crate::StoreError;

/// A number of the chain as a `bigint`.
pub(crate) fn big(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { what, value })
}

/// Reads the columns of one row of a table, and says which one is wrong.
pub(crate) struct Columns<'r> {
    pub(crate) table: &'static str,
    pub(crate) row: &'r PgRow,
}

impl<'r> Columns<'r> {
    pub(crate) fn get<T: Decode<'r, Postgres> + Type<Postgres>>(&self, name: &'static str) -> Result<T, StoreError> {
        Ok(self.row.try_get(name)?)
    }

    /// A column that holds no negative numbers, in a type that holds all of its values.
    pub(crate) fn number<T: TryFrom<i64>>(&self, name: &'static str) -> Result<T, StoreError> {
        let n: i64 = self.get(name)?;
        T::try_from(n).map_err(|_| self.corrupt(format!("{name} is {n}")))
    }

    pub(crate) fn optional_number(&self, name: &'static str) -> Result<Option<u64>, StoreError> {
        match self.get::<Option<i64>>(name)? {
            Some(_) => self.number(name).map(Some),
            None => Ok(None),
        }
    }

    /// As [`number`](Self::number), of a column of 32 bits.
    pub(crate) fn small(&self, name: &'static str) -> Result<u32, StoreError> {
        let n: i32 = self.get(name)?;
        u32::try_from(n).map_err(|_| self.corrupt(format!("{name} is {n}")))
    }

    pub(crate) fn word(&self, name: &'static str) -> Result<B256, StoreError> {
        let bytes: &[u8] = self.get(name)?;
        B256::try_from(bytes).map_err(|_| self.corrupt(format!("{name} has {} bytes, not 32", bytes.len())))
    }

    pub(super) fn optional_word(&self, name: &'static str) -> Result<Option<B256>, StoreError> {
        match self.get::<Option<&[u8]>>(name)? {
            Some(_) => self.word(name).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn address(&self, name: &'static str) -> Result<Address, StoreError> {
        let bytes: &[u8] = self.get(name)?;
        Address::try_from(bytes).map_err(|_| self.corrupt(format!("{name} has {} bytes, not 20", bytes.len())))
    }

    pub(super) fn optional_address(&self, name: &'static str) -> Result<Option<Address>, StoreError> {
        match self.get::<Option<&[u8]>>(name)? {
            Some(_) => self.address(name).map(Some),
            None => Ok(None),
        }
    }

    /// An account, or none where the contract has the zero address or nothing at all.
    pub(crate) fn optional_account(&self, name: &'static str) -> Result<Option<Address>, StoreError> {
        Ok(self.optional_address(name)?.filter(|account| !account.is_zero()))
    }

    pub(crate) fn permissions(&self, name: &'static str) -> Result<Permissions, StoreError> {
        let bits: i16 = self.get(name)?;
        let known = u8::try_from(bits).ok().and_then(Permissions::from_u8);
        known.ok_or_else(|| self.corrupt(format!("{name} is {bits}")))
    }

    pub(super) fn status(&self, name: &'static str) -> Result<Status, StoreError> {
        let status: i16 = self.get(name)?;
        let known = u8::try_from(status).ok().and_then(Status::from_u8);
        known.ok_or_else(|| self.corrupt(format!("{name} is {status}")))
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Bytes, StoreError> {
        Ok(Bytes::from(self.get::<Vec<u8>>(name)?))
    }

    pub(super) fn corrupt(&self, what: String) -> StoreError {
        StoreError::Corrupt { table: self.table, what }
    }
}
