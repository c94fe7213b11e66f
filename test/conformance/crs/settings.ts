/** Settings the tests of CRS are written for, beside their paranoia level: `TX` as its setup would say them. */
export const testSettings: Readonly<Record<string, string>> = {
  crs_validate_utf8_encoding: '1',
  arg_name_length: '100',
  arg_length: '400',
  total_arg_length: '64000',
  max_num_args: '255',
  max_file_size: '64100',
  combined_file_sizes: '65535',
};
